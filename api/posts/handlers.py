"""HTTP for posts: unpack what the contract validated, call the service, shape the answer."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response, request

from api.infra.db import db
from api.posts import service
from api.posts.schemas import PostSchema
from api.users import service as users
from api.web.identity import current_actor
from api.web.pagination import Page, paged
from api.web.respond import created, no_content, ok

_post = PostSchema()


def list_posts(page: int = 1, size: int = 20, author_id: str | None = None) -> Response:
    return _listed(Page(page, size), UUID(author_id) if author_id else None)


def list_user_posts(id: str, page: int = 1, size: int = 20) -> Response:
    return _listed(Page(page, size), users.get(db.session(), user_id=UUID(id)).id)


def create_post(body: dict[str, Any]) -> Response:
    post = service.create(db.session(), current_actor(), **body)
    return created(_post.dump(post), location=f"{request.path}/{post.id}")


def get_post(id: str) -> Response:
    return ok(_post.dump(service.get(db.session(), current_actor(), post_id=UUID(id))))


def update_post(id: str, body: dict[str, Any]) -> Response:
    post = service.update(db.session(), current_actor(), post_id=UUID(id), changes=body)
    return ok(_post.dump(post))


def delete_post(id: str) -> Response:
    service.delete(db.session(), current_actor(), post_id=UUID(id))
    return no_content()


def _listed(page: Page, author_id: UUID | None) -> Response:
    posts, total = service.listed(
        db.session(), author_id=author_id, offset=page.offset, limit=page.size
    )
    return paged(_post.dump(posts, many=True), page, total)
