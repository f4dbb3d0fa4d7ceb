"""HTTP for comments: unpack what the contract validated, call the service, shape the answer."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response

from api.comments import service
from api.comments.schemas import CommentSchema
from api.infra.db import db
from api.web.conditional import seen_versions
from api.web.identity import current_actor
from api.web.pagination import asked, listed, paged
from api.web.respond import created, no_content, ok
from api.web.runtime import runtime

_comment = CommentSchema()


def list_comments(id: str, **given: Any) -> Response:
    wanted = asked(**given)
    part = service.listed(db.session(), current_actor(), post_id=UUID(id), window=wanted.window)
    return paged(listed(wanted, part, _comment.dump))


def create_comment(id: str, body: dict[str, str]) -> Response:
    comment = service.create(db.session(), current_actor(), post_id=UUID(id), **body)
    base = runtime().contract.base_path
    location = f"{base}/comments/{comment.id}"
    return created(_comment.dump(comment), location=location, version=comment.version)


def get_comment(id: str) -> Response:
    comment = service.get(db.session(), current_actor(), comment_id=UUID(id))
    return ok(_comment.dump(comment), version=comment.version)


def update_comment(id: str, body: dict[str, str]) -> Response:
    comment = service.update(
        db.session(), current_actor(), comment_id=UUID(id), seen=seen_versions(), **body
    )
    return ok(_comment.dump(comment), version=comment.version)


def delete_comment(id: str) -> Response:
    service.delete(db.session(), current_actor(), comment_id=UUID(id), seen=seen_versions())
    return no_content()
