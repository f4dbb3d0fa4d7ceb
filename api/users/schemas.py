"""How a person looks on the wire."""

from __future__ import annotations

from marshmallow import fields

from api.web.fields import Answer, Timestamp


class AuthorSchema(Answer):
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
