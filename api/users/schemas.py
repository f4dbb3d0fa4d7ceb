"""How a person looks on the wire."""

from __future__ import annotations

from marshmallow import Schema, fields

from api.web.fields import Timestamp


class AuthorSchema(Schema):
    """As readers of a post see its author."""

    id = fields.UUID()
    username = fields.String()


class UserSchema(AuthorSchema):
    """As everybody sees a person."""

    bio = fields.String()
    created_at = Timestamp()
    post_count = fields.Integer()


class AccountSchema(UserSchema):
    """As people see themselves, and administrators see everybody."""

    email = fields.String()
    role = fields.String()
    status = fields.String()
    updated_at = Timestamp()
