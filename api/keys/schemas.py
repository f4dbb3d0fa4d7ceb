"""How an API key looks on the wire."""

from __future__ import annotations

from marshmallow import Schema, fields

from api.web.fields import Timestamp


class KeySchema(Schema):
    id = fields.UUID()
    name = fields.String()
    hint = fields.String()
    scopes = fields.List(fields.String())
    created_at = Timestamp()
    expires_at = Timestamp()
    last_used_at = Timestamp()
