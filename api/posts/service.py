"""What may happen to a post. Knows no HTTP, never commits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from api.audit import service as audit
from api.errors import Forbidden, NotFound, TokenInvalid
from api.infra import db_errors
from api.infra.actor import Actor
from api.models import Post
from api.models.post import AUTHOR
from api.posts import policy, queries


class PostNotFound(NotFound):
    """Also for a draft of somebody else: the caller may not know of it."""

    message = "There is no such post."


def listed(
    session: Session, *, author_id: UUID | None = None, offset: int, limit: int
) -> tuple[Sequence[Post], int]:
    """Published posts, newest first, and how many there are; of one author, or of all."""
    posts = queries.published(session, author_id=author_id, offset=offset, limit=limit)
    return posts, queries.count_published(session, author_id=author_id)


def get(session: Session, actor: Actor, *, post_id: UUID) -> Post:
    """Raises ``PostNotFound``."""
    post = queries.by_id(session, post_id, policy.visible_to(actor))
    if post is None:
        raise PostNotFound()
    return post


def create(
    session: Session, actor: Actor, *, title: str, body: str, is_published: bool = False
) -> Post:
    """A draft unless *is_published*."""
    post = Post(
        author_id=actor.person,
        title=title,
        body=body,
        is_published=is_published,
        published_at=func.now() if is_published else None,
    )
    session.add(post)
    try:
        session.flush()
    except IntegrityError as err:
        if db_errors.violated(err) == AUTHOR:  # who wrote it was deleted in this very moment
            raise TokenInvalid() from err
        raise
    if is_published:
        queries.add_to_post_count(session, actor.person, 1)
    return get(session, actor, post_id=post.id)


def update(session: Session, actor: Actor, *, post_id: UUID, changes: Mapping[str, Any]) -> Post:
    """Set ``title``, ``body`` or ``is_published``; turning the last one true sets ``published_at``.

    Raises ``PostNotFound``, or ``Forbidden`` for a post of somebody else.
    """
    post = hold(session, actor, post_id=post_id)
    if not policy.may_edit(actor, post):
        raise Forbidden()
    was_published = post.is_published
    for name, value in changes.items():
        setattr(post, name, value)
    if post.is_published != was_published:
        post.published_at = func.now() if post.is_published else None
        queries.add_to_post_count(session, post.author_id, 1 if post.is_published else -1)
    session.flush()
    return get(session, actor, post_id=post_id)


def delete(session: Session, actor: Actor, *, post_id: UUID) -> None:
    """With its comments. Raises ``PostNotFound``, or ``Forbidden`` for who may not."""
    post = hold(session, actor, post_id=post_id)
    if not policy.may_delete(actor, post):
        raise Forbidden()
    if post.is_published:
        queries.add_to_post_count(session, post.author_id, -1)
    if post.author_id != actor.user_id:
        audit.record(session, actor, "sensitive_delete", target=("post", post.id))
    session.delete(post)


def count_comments(session: Session, *, post_id: UUID, number: int) -> None:
    """That many more, or fewer."""
    queries.add_to_comment_count(session, post_id, number)


def hold(session: Session, actor: Actor, *, post_id: UUID) -> Post:
    """The post, locked until the transaction ends; before any comment of it is. Raises ``PostNotFound``."""
    post = queries.hold(session, post_id, policy.visible_to(actor))
    if post is None:
        raise PostNotFound()
    return post
