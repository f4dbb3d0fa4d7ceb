"""Writes audit rows. Reading them is an administrator's business."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from sqlalchemy.orm import Session

from api.infra.actor import Actor
from api.models import AuditLog

# Names of the OWASP Logging Vocabulary Cheat Sheet.
Action = Literal[
    "authn_login_success",
    "authn_login_fail",
    "authn_login_lock",
    "authn_token_reuse",
    "authn_token_revoked",
    "sensitive_delete",
    "privilege_permissions_changed",
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
    """Add a row that is stored, or not, together with what it tells of.

    *target*: its type (a table's name in the singular) and id. No secret belongs into *details*.
    """
    target_type, target_id = target or (None, None)
    session.add(
        AuditLog(
            action=action,
            actor_id=actor.user_id,
            target_type=target_type,
            target_id=target_id,
            ip=actor.ip,
            request_id=actor.request_id,
            details=details,
        )
    )
