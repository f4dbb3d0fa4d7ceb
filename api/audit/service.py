"""Writes audit rows, and reads them for administrators."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from sqlalchemy.orm import Session

from api.audit import queries
from api.infra.actor import Actor
from api.infra.paging import Part, Window
from api.models import AuditLog

# Names of the OWASP Logging Vocabulary Cheat Sheet.
Action = Literal[
    "authn_login_success",
    "authn_login_successafterfail",
    "authn_login_fail",
    "authn_login_lock",
    "authn_token_created",
    "authn_token_reuse",
    "authn_token_revoked",
    "authz_admin",
    "authz_change",
    "authz_fail",
    "sensitive_delete",
    "user_created",
    "user_deleted",
    "user_updated",
]


def record(
    session: Session,
    actor: Actor,
    action: Action,
    *,
    target: tuple[str, UUID] | None = None,
    **details: Any,
) -> None:
    """Write a row that is stored, or not, together with what it tells of.

    *target*: its type (a table's name in the singular) and id. No secret belongs into *details*.
    """
    target_type, target_id = target or (None, None)
    queries.add(
        session,
        action=action,
        actor_id=actor.user_id,
        target_type=target_type,
        target_id=target_id,
        ip=actor.ip,
        request_id=actor.request_id,
        details=details,
    )


def listed(session: Session, *, window: Window, **filters: Any) -> Part[AuditLog]:
    """The newest first; the filters are the fields of ``queries.Filter``."""
    return queries.newest(session, queries.Filter(**filters), window)


def expire(session: Session, *, days: int) -> int:
    """Remove the rows that are older; how many there were."""
    return queries.expire(session, days)
