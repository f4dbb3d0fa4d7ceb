"""Every statement about comments. Authors are loaded with their comments, in one statement."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session, joinedload

from api.infra.paging import Order, Part, Window
from api.models import Comment, Post


def by_id(session: Session, comment_id: UUID, visible: ColumnElement[bool]) -> Comment | None:
    """*visible*: which posts the caller may know of."""
    statement = (
        select(Comment)
        .join(Post, Post.id == Comment.post_id)
        .where(Comment.id == comment_id, visible)
        .options(joinedload(Comment.author))
        .execution_options(populate_existing=True)
    )
    return session.scalar(statement)


def hold(session: Session, comment_id: UUID) -> Comment | None:
    """Locked until the transaction ends; its post has to be locked before."""
    statement = select(Comment).where(Comment.id == comment_id).with_for_update()
    return session.scalar(statement.execution_options(populate_existing=True))


def of_post(session: Session, post_id: UUID, window: Window) -> Part[Comment]:
    """Oldest first."""
    order = Order((Comment.created_at, Comment.id), descending=False)
    statement = select(Comment).where(Comment.post_id == post_id)
    return order.fetch(
        session, statement, window, lambda shown: shown.options(joinedload(Comment.author))
    )
