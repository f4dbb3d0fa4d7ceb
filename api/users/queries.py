"""Every statement about people."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from api.models import User


def by_id(session: Session, user_id: UUID) -> User | None:
    return session.get(User, user_id)


def by_email(session: Session, email: str) -> User | None:
    """Without regard to case."""
    return session.scalar(select(User).where(func.lower(User.email) == email.lower()))


def lock_active_admins(session: Session) -> set[UUID]:
    """The ids of all of them, locked in one order until the transaction ends."""
    statement = (
        select(User.id)
        .where(User.role == "admin", User.status == "active")
        .order_by(User.id)
        .with_for_update()
    )
    return set(session.scalars(statement))


def any_admin(session: Session) -> bool:
    return session.scalar(select(User.id).where(User.role == "admin").limit(1)) is not None
