"""Every statement about comments. Authors are loaded with their comments, in one statement."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any, cast
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, Table, bindparam, select
from sqlalchemy.orm import Session

from api.infra.db import core
from api.infra.db_prepared import prepared
from api.infra.paging import Form, Order, Part, Window
from api.models import Comment, Post, User

Shown = Row[Any]
"""Of ``SHOWN``."""
_COMMENTS, _USERS = (cast(Table, model.__table__) for model in (Comment, User))
_SEEN = ("id", "post_id", "author_id", "body", "created_at", "updated_at", "version")
SHOWN = [*(_COMMENTS.c[name] for name in _SEEN), _USERS.c.username.label("author_username")]
"""What readers see of a comment, and its version: values, of which the ORM keeps no copies to compare."""
_OLDEST = Order((_COMMENTS.c.created_at, _COMMENTS.c.id), descending=False)


def _show(statement: Select[Any]) -> Select[Any]:
    return statement.with_only_columns(*SHOWN).outerjoin(
        _USERS, _USERS.c.id == _COMMENTS.c.author_id
    )


# Statements that are asked over and over are put together once: that would take as long as running them.
@lru_cache(16)
def _by_id(visible: ColumnElement[bool]) -> Select[Any]:
    found = _show(select(_COMMENTS.c.id)).join(Post, Post.id == _COMMENTS.c.post_id)
    return prepared(found.where(_COMMENTS.c.id == bindparam("sought"), visible))


@cache
def _of_post(form: Form) -> Select[Any]:
    narrowed = select(_COMMENTS.c.id).where(_COMMENTS.c.post_id == bindparam("post"))
    return prepared(_OLDEST.windowed(narrowed, form, _show))


def by_id(
    session: Session, comment_id: UUID, visible: ColumnElement[bool], reader: UUID | None
) -> Shown | None:
    """*visible*: which posts the parameter ``reader`` may know of; one for all, and not made for each question."""
    values = {"sought": comment_id, "reader": reader}
    return core(session).execute(_by_id(visible), values).one_or_none()


def hold(session: Session, comment_id: UUID) -> Comment | None:
    """Locked until the transaction ends; its post has to be locked before."""
    return session.scalar(select(Comment).where(Comment.id == comment_id).with_for_update())


def of_post(session: Session, post_id: UUID, window: Window) -> Part[Shown]:
    """Oldest first."""
    rows = core(session).execute(_of_post(window.form), {"post": post_id, **window.values}).all()
    return _OLDEST.part(rows, window)
