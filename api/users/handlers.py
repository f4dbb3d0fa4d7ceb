"""HTTP for people: unpack what the contract validated, call the service, shape the answer."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import UUID

from flask import Response

from api.infra.cache import profile
from api.infra.db import db
from api.models import User
from api.users import policy, service
from api.users.schemas import AccountSchema, UserSchema
from api.web import refresh_cookie
from api.web.caching import public
from api.web.conditional import NO_VERSION, seen_versions
from api.web.identity import current_actor
from api.web.pagination import Json, asked, listed, paged
from api.web.respond import no_content, ok
from api.web.runtime import runtime

_account = AccountSchema()
_user = UserSchema()


def get_me() -> Response:
    return _answered(service.myself(db.session(), current_actor()))


def update_me(body: dict[str, Any]) -> Response:
    return _updated(current_actor().person, body)


def delete_me() -> Response:
    return _deleted(current_actor().person)


def list_users(**given: Any) -> Response:
    wanted = asked(**given)
    prefix = wanted.filters.get("username", "")
    part = service.listed(db.session(), prefix=prefix, window=wanted.window)
    return paged(listed(wanted, part, _user.dump))


def get_user(id: str) -> Response:
    user_id = UUID(id)
    if policy.may_manage(current_actor(), user_id):
        return _answered(service.get(db.session(), user_id=user_id))
    return ok(**public(profile(user_id), "", partial(_profile, user_id)))


def update_user(id: str, body: dict[str, Any]) -> Response:
    return _updated(UUID(id), body)


def delete_user(id: str) -> Response:
    return _deleted(UUID(id))


def _profile(user_id: UUID) -> Json:
    """What everybody sees of a person, and not which version of them it is: others may not know of a block."""
    return {"data": _user.dump(service.get(db.session(), user_id=user_id)), "version": NO_VERSION}


def _answered(user: User) -> Response:
    return ok(_account.dump(user), version=user.version)


def _updated(user_id: UUID, changes: dict[str, Any]) -> Response:
    actor, seen = current_actor(), seen_versions()
    user = service.update(db.session(), actor, user_id=user_id, changes=changes, seen=seen)
    return _answered(user)


def _deleted(user_id: UUID) -> Response:
    actor = current_actor()
    service.delete(db.session(), actor, user_id=user_id, seen=seen_versions())
    if user_id != actor.user_id:
        return no_content()
    return refresh_cookie.clear_on(no_content(), runtime().settings)
