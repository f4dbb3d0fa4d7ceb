"""How a limit looks on the wire."""

from __future__ import annotations

from marshmallow import Schema, fields


class LimitSchema(Schema):
    name = fields.String()
    limit = fields.Integer()
    window = fields.Integer()
    remaining = fields.Integer()
    resets_in = fields.Integer()
