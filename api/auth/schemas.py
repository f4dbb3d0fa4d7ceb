"""How a session looks on the wire. The refresh token is in the cookie, never in a body."""

from __future__ import annotations

from marshmallow import Schema, fields

from api.users.schemas import AccountSchema


class SessionSchema(Schema):
    access_token = fields.String()
    token_type = fields.Constant("Bearer")
    expires_in = fields.Integer()
    user = fields.Nested(AccountSchema)
