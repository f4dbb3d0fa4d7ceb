"""HTTP for people: unpack what the contract validated, call the service, shape the answer."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response

from api.infra.db import db
from api.models import User
from api.users import policy, service
from api.users.schemas import AccountSchema, UserSchema
from api.web import refresh_cookie
from api.web.identity import current_actor
from api.web.pagination import Page, paged
from api.web.respond import no_content, ok
from api.web.runtime import runtime

_account = AccountSchema()
_user = UserSchema()


def get_me() -> Response:
    return ok(_account.dump(service.myself(db.session(), current_actor())))


def update_me(body: dict[str, Any]) -> Response:
    actor = current_actor()
    user = service.update(db.session(), actor, user_id=actor.person, changes=body)
    return ok(_account.dump(user))


def delete_me() -> Response:
    return _deleted(current_actor().person)


def list_users(username: str = "", page: int = 1, size: int = 20) -> Response:
    wanted = Page(page, size)
    people, total = service.listed(db.session(), prefix=username, offset=wanted.offset, limit=size)
    return paged(_user.dump(people, many=True), wanted, total)


def get_user(id: str) -> Response:
    return _shown(service.get(db.session(), user_id=UUID(id)))


def update_user(id: str, body: dict[str, Any]) -> Response:
    user = service.update(db.session(), current_actor(), user_id=UUID(id), changes=body)
    return _shown(user)


def delete_user(id: str) -> Response:
    return _deleted(UUID(id))


def _shown(user: User) -> Response:
    """What is private only to whom it concerns."""
    schema = _account if policy.may_manage(current_actor(), user) else _user
    return ok(schema.dump(user))


def _deleted(user_id: UUID) -> Response:
    actor = current_actor()
    service.delete(db.session(), actor, user_id=user_id)
    if user_id != actor.user_id:
        return no_content()
    return refresh_cookie.clear_on(no_content(), runtime().settings)
