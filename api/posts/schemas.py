"""How a post looks on the wire."""

from __future__ import annotations

from marshmallow import fields

from api.users.schemas import AuthorSchema
from api.web.fields import Answer, Timestamp


class PostSchema(Answer):
    id = fields.UUID()
    title = fields.String()
    body = fields.String()
    is_published = fields.Boolean()
    published_at = Timestamp()
    comment_count = fields.Integer()
    created_at = Timestamp()
    updated_at = Timestamp()
    author = fields.Nested(AuthorSchema)
