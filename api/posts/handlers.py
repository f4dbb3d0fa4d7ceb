"""HTTP for posts: unpack what the contract validated, call the service, shape the answer."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response, request

from api.infra.db import db
from api.posts import service
from api.posts.schemas import PostSchema
from api.web.identity import current_actor
from api.web.pagination import Page, paged
from api.web.respond import created, ok

_post = PostSchema()


def list_posts(page: int = 1, size: int = 20) -> Response:
    wanted = Page(page, size)
    posts, total = service.listed(db.session(), offset=wanted.offset, limit=size)
    return paged(_post.dump(posts, many=True), wanted, total)


def create_post(body: dict[str, Any]) -> Response:
    post = service.create(db.session(), current_actor(), **body)
    return created(_post.dump(post), location=f"{request.path}/{post.id}")


def get_post(id: str) -> Response:  # noqa: A002 - the contract's name of the parameter
    return ok(_post.dump(service.get(db.session(), current_actor(), post_id=UUID(id))))
