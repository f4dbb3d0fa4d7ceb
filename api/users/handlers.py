"""HTTP for people: unpack what the contract validated, call the service, shape the answer."""

from __future__ import annotations

from typing import Any

from flask import Response

from api.infra.db import db
from api.users import service
from api.users.schemas import AccountSchema
from api.web import refresh_cookie
from api.web.identity import current_actor
from api.web.respond import no_content, ok
from api.web.runtime import runtime

_account = AccountSchema()


def get_me() -> Response:
    return ok(_account.dump(service.myself(db.session(), current_actor())))


def update_me(body: dict[str, Any]) -> Response:
    user = service.update_me(db.session(), current_actor(), changes=body)
    return ok(_account.dump(user))


def delete_me() -> Response:
    service.delete_me(db.session(), current_actor())
    return refresh_cookie.clear_on(no_content(), runtime().settings)
