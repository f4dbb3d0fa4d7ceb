"""HTTP for sessions: unpack what the contract validated, call the service, shape the answer."""

from __future__ import annotations

from typing import Any

from flask import Response, request

from api.auth import service
from api.auth.schemas import SessionSchema
from api.infra.db import db
from api.infra.tokens import LIFETIME
from api.users import service as users
from api.users.schemas import AccountSchema
from api.web import refresh_cookie
from api.web.identity import current_actor
from api.web.respond import created, no_content, ok
from api.web.runtime import runtime

_account = AccountSchema()
_session = SessionSchema()


def sign_up(body: dict[str, Any]) -> Response:
    user = users.create(db.session(), current_actor(), **body)
    return created(_account.dump(user))


def log_in(body: dict[str, str]) -> Response:
    return _opened(service.log_in(db.session(), current_actor(), **body))


def refresh_session() -> Response:
    token = refresh_cookie.read(request, runtime().settings)
    deny = runtime().denied.add
    return _opened(service.refresh(db.session(), current_actor(), token=token, deny=deny))


def log_out() -> Response:
    token = refresh_cookie.read(request, runtime().settings)
    service.log_out(db.session(), current_actor(), token=token, deny=runtime().denied.add)
    return refresh_cookie.clear_on(no_content(), runtime().settings)


def _opened(login: service.LoggedIn) -> Response:
    access_token = runtime().tokens.issue(login.user.id, login.session_id)
    answer = {"access_token": access_token, "expires_in": LIFETIME, "user": login.user}
    response = ok(_session.dump(answer))
    return refresh_cookie.set_on(response, runtime().settings, login.refresh_token)
