"""Every statement about API keys, but for those that a request is recognised by."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from api.infra.paging import Order, Part, Window, counted
from api.models import ApiKey


def newest(session: Session, user_id: UUID, window: Window) -> Part[ApiKey]:
    statement = select(ApiKey).where(ApiKey.user_id == user_id)
    part = Order((ApiKey.created_at, ApiKey.id)).fetch(session, statement, window)
    return counted(session, part, statement, window)


def count_alone(session: Session, user_id: UUID) -> int:
    """How many there are; until the transaction ends, nobody else counts those of the person."""
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(str(user_id), 0))))
    statement = select(func.count()).select_from(ApiKey).where(ApiKey.user_id == user_id)
    return session.scalar(statement) or 0


def hold(session: Session, user_id: UUID, key_id: UUID) -> ApiKey | None:
    """Locked, once nothing is being written with it any more."""
    statement = select(ApiKey).where(ApiKey.id == key_id, ApiKey.user_id == user_id)
    return session.scalar(statement.with_for_update())
