"""The wrapper around each handler: limits, session, role, transaction."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from contextvars import copy_context
from dataclasses import replace
from uuid import uuid4

import pytest
from flask import Response
from sqlalchemy import text

from api.app import App
from api.errors import Forbidden, Unauthorized
from api.infra.actor import Role, anonymous
from api.infra.db import db
from api.infra.tracing import Span
from api.web import context
from api.web.context import RequestContext
from api.web.contract import ROLES, Operation, Policy
from api.web.identity import require
from api.web.policy import enforce
from api.web.respond import no_content
from tests.people import People, Person
from tests.spec import CONTRACT


@pytest.mark.parametrize("needed", ROLES)
@pytest.mark.parametrize("has", ROLES)
def test_a_higher_role_may_do_what_a_lower_one_may(has: Role, needed: str) -> None:
    user_id = None if has == "anyone" else uuid4()
    actor = replace(anonymous("ip", "id"), role=has, user_id=user_id)

    if ROLES.index(has) >= ROLES.index(needed):
        require(actor, Policy(needed))
    else:
        with pytest.raises(Unauthorized if has == "anyone" else Forbidden):
            require(actor, Policy(needed))


class TestEnforce:
    """No operation asks for more than a user, so here is one."""

    ADMINS = replace(
        CONTRACT.operations["create_post"], policy=Policy("admin", rate_limit=("user",))
    )

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

    @pytest.mark.parametrize("method", ["POST", "GET"])
    def test_every_method_but_get_is_a_transaction(
        self, app: App, people: People, query: Query, method: str
    ) -> None:
        """A GET that writes fails in every test (tests/conftest.py): it has no transaction."""
        ada = people("ada")
        operation = replace(self.ADMINS, method=method, policy=Policy("user", rate_limit=("user",)))
        expected = pytest.raises(AssertionError) if method == "GET" else nullcontext()

        def handler() -> Response:
            db.session.execute(text("UPDATE users SET bio = 'changed'"))
            return no_content()

        with expected:
            inside(app, request_of(app, ada, operation), enforce(operation, handler))

        assert (query("SELECT bio FROM users") == [("changed",)]) is (method == "POST")


Query = Callable[..., list[tuple[object, ...]]]


def request_of(app: App, person: Person, operation: Operation) -> RequestContext:
    claims = app.runtime.tokens.verify(person.token)
    return RequestContext(
        "request", Span("trace", "span"), "192.0.2.1", operation=operation, claims=claims
    )


def inside(app: App, request: RequestContext, handler: Callable[..., Response]) -> Response:
    def call() -> Response:
        context.enter(request)
        with app.flask.test_request_context():
            return handler()

    return copy_context().run(call)


def never_called() -> Response:
    raise AssertionError("the handler ran")
