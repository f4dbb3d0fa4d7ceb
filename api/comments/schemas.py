"""How a comment looks on the wire."""

from __future__ import annotations

from marshmallow import fields

from api.users.schemas import AuthorSchema
from api.web.fields import Answer, Timestamp


class CommentSchema(Answer):
    id = fields.UUID()
    post_id = fields.UUID()
    body = fields.String()
    created_at = Timestamp()
    updated_at = Timestamp()
    author = fields.Nested(AuthorSchema)
