"""Who may call what: every operation of the contract by every kind of caller."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import copy_context
from dataclasses import replace
from typing import Any
from uuid import uuid4

import jwt
import pytest
from flask import Response
from sqlalchemy import text
from starlette.testclient import TestClient

from api.app import App
from api.errors import Forbidden, Unauthorized
from api.infra.actor import RANK, Role, anonymous
from api.infra.db import db
from api.web import context
from api.web.context import RequestContext
from api.web.contract import ROLES, Operation, Policy
from api.web.identity import require
from api.web.policy import enforce
from api.web.respond import no_content
from tests.conftest import SECRET
from tests.people import PASSWORD, People, Person
from tests.spec import CONTRACT

ACTORS = {
    "anonymous": "anyone",
    "user": "user",
    "moderator": "moderator",
    "admin": "admin",
    "blocked": None,
    "expired": None,
}
"""What role each kind of caller has; none for those whose token does not count."""

MATRIX = [
    pytest.param(operation, actor, id=f"{operation.id}-{actor}")
    for operation in CONTRACT.operations.values()
    for actor in ACTORS
]


def expected(operation: Operation, actor: str) -> int | None:
    """401, 403, or None for neither."""
    if operation.is_root:
        return None
    role = ACTORS[actor]
    if role is None:
        return 401
    if RANK[role] >= RANK[operation.policy.role]:
        return None
    return 401 if role == "anyone" else 403


@pytest.mark.parametrize(("operation", "actor"), MATRIX)
def test_what_the_policy_says_is_what_happens(
    client: TestClient, people: People, operation: Operation, actor: str
) -> None:
    response = call(client, operation, headers_of(actor, people))

    code = response.json()["error"]["code"] if response.status_code in (401, 403) else ""
    if wanted := expected(operation, actor):
        assert response.status_code == wanted
        assert code in {"UNAUTHORIZED", "TOKEN_EXPIRED", "FORBIDDEN"}
    else:
        assert code in {"", "INVALID_CREDENTIALS"} or operation.id in COOKIE_DECIDES


COOKIE_DECIDES = {"refresh_session", "log_out"}
"""They answer 401 without their cookie, whoever asks."""


def test_the_matrix_has_refusals_and_admissions() -> None:
    outcomes = [expected(*param.values) for param in MATRIX]  # type: ignore[arg-type]

    assert outcomes.count(None) > 20
    assert outcomes.count(401) > 20


@pytest.mark.parametrize("needed", ROLES)
@pytest.mark.parametrize("has", ROLES)
def test_a_higher_role_may_do_what_a_lower_one_may(has: Role, needed: str) -> None:
    user_id = None if has == "anyone" else uuid4()
    actor = replace(anonymous("ip", "id"), role=has, user_id=user_id)

    if ROLES.index(has) >= ROLES.index(needed):
        require(actor, needed)
    else:
        with pytest.raises(Unauthorized if has == "anyone" else Forbidden):
            require(actor, needed)


class TestEnforce:
    """No operation asks for more than a user, so here is one."""

    ADMINS = replace(CONTRACT.operations["create_post"], policy=Policy("admin", ("user",)))

    @pytest.mark.parametrize("role", ["user", "moderator"])
    def test_whoever_lacks_the_role_is_forbidden_and_charged(
        self, app: App, people: People, role: str
    ) -> None:
        request = request_of(app, people("ada", role=role), self.ADMINS)

        with pytest.raises(Forbidden):
            inside(app, request, enforce(self.ADMINS, never_called))

        assert [bucket.name for bucket in request.buckets] == ["user"]
        assert request.actor is not None  # the log says who it was

    def test_who_has_it_is_let_in_and_known(self, app: App, people: People) -> None:
        boss = people("boss", role="admin")
        request = request_of(app, boss, self.ADMINS)

        inside(app, request, enforce(self.ADMINS, no_content))

        assert request.actor is not None
        assert (request.actor.user_id, request.actor.role) == (boss.id, "admin")

    @pytest.mark.parametrize(("method", "stays"), [("POST", True), ("GET", False)])
    def test_every_method_but_get_is_a_transaction(
        self, app: App, people: People, query: Query, method: str, stays: bool
    ) -> None:
        ada = people("ada")
        operation = replace(self.ADMINS, method=method, policy=Policy("user", ("user",)))

        def handler() -> Response:
            db.session.execute(text("UPDATE users SET bio = 'changed'"))
            return no_content()

        inside(app, request_of(app, ada, operation), enforce(operation, handler))

        assert (query("SELECT bio FROM users") == [("changed",)]) is stays


Query = Callable[..., list[tuple[object, ...]]]


def request_of(app: App, person: Person, operation: Operation) -> RequestContext:
    claims = app.runtime.tokens.verify(person.token)
    return RequestContext("request", "trace", "192.0.2.1", operation=operation, claims=claims)


def inside(app: App, request: RequestContext, handler: Callable[..., Response]) -> Response:
    def call() -> Response:
        context.enter(request)
        with app.flask.test_request_context():
            return handler()

    return copy_context().run(call)


def never_called() -> Response:
    raise AssertionError("the handler ran")


def call(client: TestClient, operation: Operation, headers: dict[str, str]) -> Any:
    """A request that is valid apart from who sends it."""
    path = operation.path.replace("{id}", "01a20547-abc9-7556-b949-68714accd4b0")
    body = BODIES.get(operation.id)
    return client.request(operation.method, path, headers=headers, json=body)


BODIES: dict[str, dict[str, Any]] = {
    "sign_up": {"email": "new@example.com", "username": "newcomer", "password": PASSWORD},
    "log_in": {"email": "nobody@example.com", "password": PASSWORD},
    "update_me": {"bio": "a few words"},
    "create_post": {"title": "t", "body": "b"},
    "update_post": {"title": "t"},
    "create_comment": {"body": "b"},
    "update_comment": {"body": "b"},
    "update_user": {"bio": "a few words"},
}


def headers_of(actor: str, people: People) -> dict[str, str]:
    common = {"X-Requested-With": "tests"}
    if actor == "anonymous":
        return common
    if actor == "expired":
        return common | {"Authorization": f"Bearer {expired(people('late').token)}"}
    if actor == "blocked":
        return common | people("blocked", status="blocked").auth
    people("boss", role="admin")  # beside whom even an administrator may go
    return common | people("caller", role=ACTORS[actor] or "").auth


def expired(token: str) -> str:
    claims = jwt.decode(token, options={"verify_signature": False})
    claims |= {
        "iat": claims["iat"] - 3_600,
        "nbf": claims["nbf"] - 3_600,
        "exp": claims["exp"] - 3_600,
    }
    return jwt.encode(claims, SECRET, headers=jwt.get_unverified_header(token))
