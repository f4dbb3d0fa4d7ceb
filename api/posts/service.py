"""What may happen to a post. Knows no HTTP, never commits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from api.audit import service as audit
from api.errors import Forbidden, NotFound, TokenInvalid
from api.infra import db_errors, versions
from api.infra.actor import Actor
from api.infra.cache import POSTS, forget, profile
from api.infra.paging import Part, Window
from api.infra.versions import Seen
from api.models import Post, User
from api.models.post import AUTHOR
from api.posts import counters, hits, policy, queries
from api.posts.filters import Filter
from api.posts.queries import Shown
from api.posts.search import parse


class PostNotFound(NotFound):
    """Also for a draft of somebody else: the caller may not know of it."""

    message = "There is no such post."


NEWEST = "-published_at"
RELEVANCE = "relevance"


def listed(
    session: Session,
    actor: Actor,
    *,
    window: Window,
    sort: str = NEWEST,
    is_published: bool = True,
    q: str | None = None,
    **narrow: Any,
) -> Part[Shown]:
    """Published posts, or the caller's drafts.

    *sort*: ``published_at`` or ``created_at``, with ``-`` in front for the newest first, or
    ``RELEVANCE``, which without *q* is the newest first as well. Drafts, never published, are always
    ordered by ``created_at``. *narrow*: ``author_id``, ``created_after``, ``created_before``.
    """
    wanted = Filter(
        visible=policy.LISTED if is_published else policy.DRAFTS,
        reader=actor.user_id,
        search=None if q is None else parse(q),
        **narrow,
    )
    order = sort if sort != RELEVANCE else NEWEST
    column = order.lstrip("-") if is_published else "created_at"
    in_order = partial(
        queries.in_order, session, wanted, window, column=column, descending=order.startswith("-")
    )
    if is_published and window.is_numbered and wanted.has_nothing:
        return in_order(has_total=True)
    found = _counted(session, wanted, window)
    if wanted.search and found.total == 0:
        part: Part[Shown] = Part([], None)
    elif wanted.search and sort == RELEVANCE:
        part = queries.by_relevance(
            session, wanted, window, drafts=not is_published, among=found.ids
        )
    else:
        part = in_order(are_few=found.total is not None, among=found.ids)
    return replace(part, total=found.total if window.is_numbered else None)


def _counted(session: Session, wanted: Filter, window: Window) -> hits.Hits:
    """What is searched for is counted in a walk as well: few hits are found by other means than many."""
    if wanted.search:
        return hits.of_search(session, wanted)
    if not window.is_numbered:
        return hits.Hits()
    return hits.Hits(hits.count_some(session, wanted))


def get(session: Session, actor: Actor, *, post_id: UUID) -> Shown:
    """Raises ``PostNotFound``."""
    post = queries.by_id(session, post_id, policy.VISIBLE, actor.user_id)
    if post is None:
        raise PostNotFound()
    return post


def create(
    session: Session, actor: Actor, *, title: str, body: str, is_published: bool = False
) -> Shown:
    """A draft unless *is_published*."""
    try:
        post = queries.add(session, actor.person, title=title, body=body, is_published=is_published)
    except IntegrityError as err:
        if db_errors.violated(err) == AUTHOR:  # who wrote it was deleted in this very moment
            raise TokenInvalid() from err
        raise
    if is_published:
        _forget(session, actor.person)
    return post


def update(
    session: Session,
    actor: Actor,
    *,
    post_id: UUID,
    changes: Mapping[str, Any],
    seen: Seen = None,
) -> Shown:
    """Set ``title``, ``body`` or ``is_published``; turning the last one true sets ``published_at``.

    Raises ``PostNotFound``, ``Forbidden`` for a post of somebody else, or ``PreconditionFailed``.
    """
    post = hold(session, actor, post_id=post_id)
    if not policy.may_edit(actor, post):
        raise Forbidden()
    versions.require(post, seen)
    was_published = post.is_published
    for name, value in changes.items():
        setattr(post, name, value)
    if post.is_published != was_published:
        post.published_at = func.now() if post.is_published else None
        _count(session, post.author_id, 1 if post.is_published else -1)
    elif post.is_published:
        forget(session, POSTS)
    session.flush()
    return get(session, actor, post_id=post_id)


def delete(session: Session, actor: Actor, *, post_id: UUID, seen: Seen = None) -> None:
    """With its comments. Raises ``PostNotFound``, ``Forbidden`` for who may not, or ``PreconditionFailed``."""
    post = hold(session, actor, post_id=post_id)
    if not policy.may_delete(actor, post):
        raise Forbidden()
    versions.require(post, seen)
    if post.is_published:
        _count(session, post.author_id, -1)
    if post.author_id != actor.user_id:
        audit.record(session, actor, "sensitive_delete", target=("post", post.id))
    session.delete(post)


def count_comments(session: Session, *, post_id: UUID, number: int) -> None:
    """That many more, or fewer."""
    counters.add_to_comment_count(session, post_id, number)
    forget(session, POSTS)


def hold_all(session: Session, *, author_id: UUID) -> None:
    """Locked until the transaction ends, as by everybody before the person is."""
    queries.hold_all(session, author_id)


def lose_author(session: Session, *, author: User) -> None:
    """To be called before the account goes, and all posts of it."""
    counters.add_to_total(session, -author.post_count)
    forget(session, POSTS)


def _count(session: Session, author_id: UUID, number: int) -> None:
    """So many more published posts, or fewer."""
    counters.add_to_post_count(session, author_id, number)
    _forget(session, author_id)


def _forget(session: Session, author_id: UUID) -> None:
    """The lists and the profile in which they are counted."""
    forget(session, POSTS)
    forget(session, profile(author_id))


def hold(session: Session, actor: Actor, *, post_id: UUID) -> Post:
    """The post, locked until the transaction ends; before any comment of it is. Raises ``PostNotFound``."""
    post = queries.hold(session, post_id, policy.visible_to(actor))
    if post is None:
        raise PostNotFound()
    return post
