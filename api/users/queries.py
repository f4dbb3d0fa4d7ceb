"""Every statement about people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, bindparam, delete, func, select, update
from sqlalchemy.orm import Session

from api.infra.db_prepared import PREPARED, prepared
from api.infra.paging import Order, Part, Window, counted, within
from api.models import ApiKey, IdempotencyKey, LoginSession, User

ADMINS = 0x4D414442
"""Of PostgreSQL's advisory locks, the one for who is an administrator ("MADB")."""


def by_id(session: Session, user_id: UUID) -> User | None:
    return session.get(User, user_id, execution_options=PREPARED)


def hold(session: Session, user_id: UUID) -> User | None:
    """Locked until the transaction ends; ``None`` also when the person went while we waited."""
    return session.get(User, user_id, with_for_update=True)


_BY_EMAIL = prepared(select(User).where(func.lower(User.email) == bindparam("sought")))
_HOLD_BY_EMAIL = _BY_EMAIL.with_for_update(read=True)


def by_email(session: Session, email: str, *, hold: bool = False) -> User | None:
    """Without regard to case. *hold*: nobody changes or deletes the person until we are done."""
    return session.scalar(_HOLD_BY_EMAIL if hold else _BY_EMAIL, {"sought": email.lower()})


def lock_admins(session: Session) -> set[UUID]:
    """The ids of all active ones; until the transaction ends, nobody else makes them fewer.

    To be called before any row of a person is locked, or two callers wait for each other.
    """
    session.execute(select(func.pg_advisory_xact_lock(ADMINS)))
    active = select(User.id).where(User.role == "admin", User.status == "active")
    return set(session.scalars(active))


def hold_sessions(session: Session, user_id: UUID) -> Sequence[UUID]:
    """What the person is writing just now, by a session or an API key, is finished first, and nothing more is begun.

    Returns the sessions that are alive. To be called before the person is locked, whom their
    writes may be waiting for.
    """
    statement = (
        select(LoginSession.id)
        .where(LoginSession.user_id == user_id, LoginSession.is_alive())
        .order_by(LoginSession.id)
        .with_for_update()
    )
    keys = select(ApiKey.id).where(ApiKey.user_id == user_id).order_by(ApiKey.id)
    alive = session.scalars(statement).all()
    session.execute(keys.with_for_update())
    return alive


def end_sessions(session: Session, user_id: UUID) -> Sequence[UUID]:
    """Because the person is blocked, and their API keys with them. Returns the sessions that were alive."""
    session.execute(delete(ApiKey).where(ApiKey.user_id == user_id))
    statement = (
        update(LoginSession)
        .where(LoginSession.user_id == user_id, LoginSession.ended_at.is_(None))
        .values(ended_at=func.now(), end_reason="blocked")
        .returning(LoginSession.id)
    )
    return session.scalars(statement).all()


def any_admin(session: Session) -> bool:
    return session.scalar(select(User.id).where(User.role == "admin").limit(1)) is not None


def by_prefix(session: Session, prefix: str, window: Window) -> Part[User]:
    """In the order of usernames."""
    statement = select(User).where(User.username.startswith(prefix, autoescape=True))
    if not prefix:
        statement = select(User)
    part = Order((User.username,), descending=False).fetch(session, statement, window)
    return counted(session, part, statement, window)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which people administrators look for; *email*: how the address begins, in any case."""

    role: str | None = None
    status: str | None = None
    email: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None

    def narrow(self, statement: Select[tuple[User]]) -> Select[tuple[User]]:
        if self.role is not None:
            statement = statement.where(User.role == self.role)
        if self.status is not None:
            statement = statement.where(User.status == self.status)
        if self.email is not None:
            begins = func.lower(User.email).startswith(self.email.lower(), autoescape=True)
            statement = statement.where(begins)
        return within(statement, User.created_at, self.created_after, self.created_before)


def newest(session: Session, wanted: Filter, window: Window) -> Part[User]:
    statement = wanted.narrow(select(User))
    part = Order((User.created_at, User.id)).fetch(session, statement, window)
    return counted(session, part, statement, window)


def forget_answers(session: Session, user_id: UUID) -> None:
    """What was kept for requests that the person might have sent again."""
    session.execute(delete(IdempotencyKey).where(IdempotencyKey.user_id == user_id))
