"""What may happen to a post. Knows no HTTP, never commits."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from api.errors import NotFound, TokenInvalid
from api.infra import db_errors
from api.infra.actor import Actor
from api.models import Post
from api.models.post import AUTHOR
from api.posts import policy, queries


class PostNotFound(NotFound):
    """Also for a draft of somebody else: the caller may not know of it."""

    message = "There is no such post."


def listed(session: Session, *, offset: int, limit: int) -> tuple[Sequence[Post], int]:
    """Published posts, newest first, and how many there are."""
    posts = queries.published(session, offset=offset, limit=limit)
    return posts, queries.count_published(session)


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
