"""HTTP for posts: unpack what the contract validated, call the service, shape the answer."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import UUID

from flask import Response, request

from api.infra.cache import POSTS
from api.infra.db import db
from api.posts import service
from api.posts.schemas import PostSchema
from api.users import service as users
from api.web.caching import public_list
from api.web.conditional import seen_versions
from api.web.identity import current_actor
from api.web.pagination import Asked, Json, asked, listed, paged
from api.web.respond import created, no_content, ok

_post = PostSchema()


def list_posts(**given: Any) -> Response:
    wanted = asked(**given)
    part = partial(_part, wanted, **wanted.filters)
    # Drafts are for one person, and never kept.
    is_public = wanted.filters.get("is_published", True)
    return paged(public_list(POSTS, wanted, part) if is_public else part())


def list_user_posts(id: str, **given: Any) -> Response:
    wanted = asked(**given)
    part = partial(_part_of, wanted, UUID(id))
    return paged(public_list(POSTS, wanted, part))


def create_post(body: dict[str, Any]) -> Response:
    post = service.create(db.session(), current_actor(), **body)
    location = f"{request.path}/{post.id}"
    return created(_post.dump(post), location=location, version=post.version)


def get_post(id: str) -> Response:
    post = service.get(db.session(), current_actor(), post_id=UUID(id))
    return ok(_post.dump(post), version=post.version)


def update_post(id: str, body: dict[str, Any]) -> Response:
    post = service.update(
        db.session(), current_actor(), post_id=UUID(id), changes=body, seen=seen_versions()
    )
    return ok(_post.dump(post), version=post.version)


def delete_post(id: str) -> Response:
    service.delete(db.session(), current_actor(), post_id=UUID(id), seen=seen_versions())
    return no_content()


def _part(wanted: Asked, **filters: Any) -> Json:
    part = service.listed(db.session(), current_actor(), window=wanted.window, **filters)
    return listed(wanted, part, _post.dump)


def _part_of(wanted: Asked, author_id: UUID) -> Json:
    author = users.get(db.session(), user_id=author_id)
    return _part(wanted, author_id=author.id)
