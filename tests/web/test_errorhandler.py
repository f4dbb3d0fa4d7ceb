"""Every failure in one shape, whichever layer it comes from; bugs are told to nobody but the log."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextvars import copy_context
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from api.errors import DomainError, InvalidInput
from api.infra.metrics import UNEXPECTED_ERRORS
from api.infra.tracing import Span
from api.web import context
from api.web.context import RequestContext
from api.web.errorhandler import MOST_DETAILS, failure
from tests.infra.outages import without_tables
from tests.people import PASSWORD, People, Person
from tests.web.apps import serving, written

Query = Callable[..., list[tuple[object, ...]]]
POSTS, ME, LOGIN = "/api/v1/posts", "/api/v1/users/me", "/api/v1/auth/login"
UNKNOWN = f"{POSTS}/01a20547-abc9-7556-b949-68714accd4b0"


class TestOneShape:
    ROADS: dict[str, tuple[int, str, Callable[[TestClient, Person], httpx.Response]]] = {
        "routing": (404, "NOT_FOUND", lambda c, _: c.get("/nowhere")),
        "method": (405, "METHOD_NOT_ALLOWED", lambda c, _: c.put(POSTS)),
        "signature": (401, "UNAUTHORIZED", lambda c, _: c.get(ME, headers={"Authorization": "x"})),
        "no token": (401, "UNAUTHORIZED", lambda c, _: c.get(ME)),
        "guard": (415, "UNSUPPORTED_MEDIA_TYPE", lambda c, _: c.post(LOGIN, content=b"{}")),
        "size": (413, "PAYLOAD_TOO_LARGE", lambda c, _: c.post(LOGIN, content=b" " * 70_000)),
        "json": (
            400,
            "INVALID_INPUT",
            lambda c, _: c.post(LOGIN, content="{", headers={"Content-Type": "application/json"}),
        ),
        "parameters": (400, "INVALID_INPUT", lambda c, _: c.get(f"{POSTS}?x=1")),
        "body": (400, "INVALID_INPUT", lambda c, _: c.post(LOGIN, json={})),
        "role": (403, "FORBIDDEN", lambda c, _: c.post("/api/v1/auth/refresh")),
        "service": (404, "NOT_FOUND", lambda c, _: c.get(UNKNOWN)),
        "conflict": (
            409,
            "USERNAME_TAKEN",
            lambda c, ada: c.patch(ME, json={"username": "bob"}, headers=ada.auth),
        ),
        "login": (
            401,
            "INVALID_CREDENTIALS",
            lambda c, _: c.post(LOGIN, json={"email": "a@example.com", "password": PASSWORD}),
        ),
    }

    @pytest.mark.parametrize("road", ROADS)
    def test_whatever_road_it_took(
        self, client: TestClient, ada: Person, bob: Person, road: str
    ) -> None:
        """A known trap: half of these never reach Flask."""
        status, code, ask = self.ROADS[road]

        response = ask(client, ada)

        assert response.status_code == status
        assert response.headers["Content-Type"] == "application/json"
        error = response.json()["error"]
        assert error["code"] == code
        assert error.keys() == {"code", "message", "details", "request_id"}
        assert error["request_id"] == response.headers["X-Request-ID"]
        assert ("WWW-Authenticate" in response.headers) == (status == 401)
        assert "Retry-After" not in response.headers
        assert "\n" not in response.text

    def test_a_rate_limit_refused_in_flask(self, environment: dict[str, str], clean: None) -> None:
        with serving(environment, RATE_LIMIT_SCALE="0.001") as client:
            client.get(POSTS)
            error = client.get(POSTS).json()["error"]

        assert error.keys() == {"code", "message", "details", "request_id"}


class TestBugs:
    def test_are_a_bare_500(self, client: TestClient, query: Query) -> None:
        before = UNEXPECTED_ERRORS._value.get()

        with without_tables(query, "posts"), written() as log:
            response = client.get(POSTS)

        assert response.status_code == 500
        assert response.json() == {
            "status": "error",
            "error": {
                "code": "INTERNAL",
                "message": "Something went wrong on our side.",
                "details": {},
                "request_id": response.headers["X-Request-ID"],
            },
        }
        assert "RateLimit" in response.headers
        assert UNEXPECTED_ERRORS._value.get() == before + 1
        bug = log.lines[0]
        assert (bug["level"], bug["message"]) == ("ERROR", "unexpected error")
        assert bug["request_id"] == response.headers["X-Request-ID"]
        assert "psycopg2.errors.UndefinedTable" in bug["exc_info"]
        assert "api/posts/queries.py" in bug["exc_info"]

    def test_leave_nothing_behind(self, client: TestClient, ada: Person, query: Query) -> None:
        with without_tables(query, "posts"):
            response = client.post(POSTS, json={"title": "t", "body": "b"}, headers=ada.auth)
        assert response.status_code == 500

        assert client.get(POSTS).json()["data"]["total"] == 0
        assert client.get(ME, headers=ada.auth).json()["data"]["post_count"] == 0

    @pytest.mark.parametrize("env", ["development", "test", "production"])
    def test_show_their_stack_in_development_alone(
        self, environment: dict[str, str], people: People, query: Query, env: str
    ) -> None:
        strong = {"ENVIRONMENT": env, "JWT_SECRET_KEY": "qW3rT6yU9iOp2aSdFgHjKlZxCvBnM1!x"}
        with serving(environment, **strong) as client, without_tables(query, "posts"):
            response = client.get(POSTS)

        assert response.status_code == 500
        assert ("stack" in response.json()["error"]) is (env == "development")
        assert ("UndefinedTable" in response.text) is (env == "development")
        if env == "development":
            assert any("list_posts" in line for line in response.json()["error"]["stack"])


class TestDetails:
    def test_are_never_more_than_fit_into_four_kib(self) -> None:
        error = body_of(InvalidInput({f"field_{n:034}": "is not known here" for n in range(1_000)}))

        assert len(error["details"]) == MOST_DETAILS
        assert list(error["details"])[0] == "field_" + "0" * 34

    def test_are_always_there(self) -> None:
        assert body_of(InvalidInput())["details"] == {}
        assert body_of(ZeroDivisionError())["details"] == {}


def body_of(err: Exception) -> Any:

    def make() -> Any:
        context.enter(RequestContext("request", Span("trace", "span"), "ip"))
        return json.loads(failure(err, debug=False).body)["error"]

    return copy_context().run(make)


def test_a_domain_error_is_a_400_unless_it_says_otherwise() -> None:
    assert DomainError().status == 400
    assert DomainError().details == {}
