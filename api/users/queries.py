"""Every statement about people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from api.models import User

T = TypeVar("T", bound=tuple[object, ...])


def by_id(session: Session, user_id: UUID) -> User | None:
    return session.get(User, user_id)


def hold(session: Session, user_id: UUID) -> User | None:
    """Locked until the transaction ends; ``None`` also when the person went while we waited."""
    return session.get(User, user_id, with_for_update=True)


def by_email(session: Session, email: str, *, hold: bool = False) -> User | None:
    """Without regard to case. *hold*: nobody changes or deletes the person until we are done."""
    statement = select(User).where(func.lower(User.email) == email.lower())
    return session.scalar(statement.with_for_update(read=True) if hold else statement)


def lock_active_admins(session: Session) -> set[UUID]:
    """The ids of all of them, locked in one order until the transaction ends.

    To be called before any other person is locked, or two callers wait for each other.
    """
    statement = (
        select(User.id)
        .where(User.role == "admin", User.status == "active")
        .order_by(User.id)
        .with_for_update(key_share=True)
    )
    return set(session.scalars(statement))


def any_admin(session: Session) -> bool:
    return session.scalar(select(User.id).where(User.role == "admin").limit(1)) is not None


def by_prefix(session: Session, prefix: str, *, offset: int, limit: int) -> Sequence[User]:
    """In the order of usernames."""
    statement = _begins_with(select(User), prefix).order_by(User.username)
    return session.scalars(statement.offset(offset).limit(limit)).all()


def count_by_prefix(session: Session, prefix: str) -> int:
    return session.scalar(_begins_with(select(func.count()).select_from(User), prefix)) or 0


def _begins_with(statement: Select[T], prefix: str) -> Select[T]:
    if not prefix:
        return statement
    return statement.where(User.username.startswith(prefix, autoescape=True))
