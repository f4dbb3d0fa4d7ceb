"""How an audit row looks on the wire."""

from __future__ import annotations

from marshmallow import Schema, fields

from api.models import AuditLog
from api.web.fields import Timestamp


def _actor(log: AuditLog) -> dict[str, str | None] | None:
    """With the name of now, or without one when the person is gone."""
    if log.actor_id is None:
        return None
    return {"id": str(log.actor_id), "username": log.actor.username if log.actor else None}


class AuditLogSchema(Schema):
    id = fields.UUID()
    actor = fields.Function(_actor)
    action = fields.String()
    target_type = fields.String()
    target_id = fields.UUID()
    ip = fields.String()
    details = fields.Dict()
    created_at = Timestamp()
