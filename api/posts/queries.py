"""Every statement about posts. Authors are loaded with their posts, in one statement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, select, update
from sqlalchemy.orm import Session, joinedload

from api.models import Post, User

T = TypeVar("T", bound=tuple[object, ...])


def by_id(session: Session, post_id: UUID, visible: ColumnElement[bool]) -> Post | None:
    statement = select(Post).where(Post.id == post_id, visible).options(joinedload(Post.author))
    return session.scalar(statement.execution_options(populate_existing=True))


def hold(session: Session, post_id: UUID, visible: ColumnElement[bool]) -> Post | None:
    """Locked until the transaction ends."""
    statement = select(Post).where(Post.id == post_id, visible).with_for_update()
    return session.scalar(statement)


def published(
    session: Session, *, author_id: UUID | None, offset: int, limit: int
) -> Sequence[Post]:
    """Newest first; of one author, or of all."""
    statement = (
        _published(select(Post), author_id)
        .order_by(Post.published_at.desc(), Post.id.desc())
        .offset(offset)
        .limit(limit)
        .options(joinedload(Post.author))
    )
    return session.scalars(statement).all()


def count_published(session: Session, *, author_id: UUID | None) -> int:
    count = _published(select(func.count()).select_from(Post), author_id)
    return session.scalar(count) or 0


def _published(statement: Select[T], author_id: UUID | None) -> Select[T]:
    statement = statement.where(Post.is_published)
    return statement if author_id is None else statement.where(Post.author_id == author_id)


def add_to_comment_count(session: Session, post_id: UUID, number: int) -> None:
    """As ``add_to_post_count``; the row stays locked, so comments of a post are stored one by one."""
    statement = (
        update(Post)
        .where(Post.id == post_id)
        .values(comment_count=Post.comment_count + number, updated_at=Post.updated_at)
        .execution_options(synchronize_session=False)
    )
    session.execute(statement)


def add_to_post_count(session: Session, user_id: UUID, number: int) -> None:
    """In one atomic statement; a counter is no change of the account, so ``updated_at`` stays."""
    statement = (
        update(User)
        .where(User.id == user_id)
        .values(post_count=User.post_count + number, updated_at=User.updated_at)
        .execution_options(synchronize_session=False)
    )
    session.execute(statement)
