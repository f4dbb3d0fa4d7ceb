"""Every statement about posts. Authors are loaded with their posts, in one statement."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session, joinedload

from api.models import Post, User


def by_id(session: Session, post_id: UUID, visible: ColumnElement[bool]) -> Post | None:
    statement = select(Post).where(Post.id == post_id, visible).options(joinedload(Post.author))
    return session.scalar(statement)


def published(session: Session, *, offset: int, limit: int) -> Sequence[Post]:
    """Newest first."""
    statement = (
        select(Post)
        .where(Post.is_published)
        .order_by(Post.published_at.desc(), Post.id.desc())
        .offset(offset)
        .limit(limit)
        .options(joinedload(Post.author))
    )
    return session.scalars(statement).all()


def count_published(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(Post).where(Post.is_published)) or 0


def add_to_post_count(session: Session, user_id: UUID, number: int) -> None:
    """In one atomic statement; a counter is no change of the account, so ``updated_at`` stays."""
    statement = (
        update(User)
        .where(User.id == user_id)
        .values(post_count=User.post_count + number, updated_at=User.updated_at)
        .execution_options(synchronize_session=False)
    )
    session.execute(statement)
