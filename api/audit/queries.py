"""Every statement about audit rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Select, Table, func, insert, select
from sqlalchemy.orm import Session, joinedload

from api.infra.db import core
from api.infra.db_prepared import prepared
from api.infra.paging import Order, Part, Window, counted, within
from api.models import AuditLog

_ADD = prepared(insert(cast(Table, AuditLog.__table__)))
EXACT = ("actor_id", "action", "target_type", "target_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    actor_id: UUID | None = None
    action: str | None = None
    target_type: str | None = None
    target_id: UUID | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None

    def narrow(self, statement: Select[tuple[AuditLog]]) -> Select[tuple[AuditLog]]:
        for name in EXACT:
            if (value := getattr(self, name)) is not None:
                statement = statement.where(getattr(AuditLog, name) == value)
        return within(statement, AuditLog.created_at, self.created_after, self.created_before)


def newest(session: Session, wanted: Filter, window: Window) -> Part[AuditLog]:
    statement = wanted.narrow(select(AuditLog))
    order = Order((AuditLog.created_at, AuditLog.id))
    part = order.fetch(
        session, statement, window, lambda shown: shown.options(joinedload(AuditLog.actor))
    )
    return counted(session, part, statement, window)


def add(session: Session, **values: Any) -> None:
    core(session).execute(_ADD, values)


def expire(session: Session, days: int) -> int:
    """By the one function of the database that may."""
    return session.scalar(select(func.expire_audit_logs(days))) or 0
