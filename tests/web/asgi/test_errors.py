"""What fails before Flask, and what fails when the answer is on its way already."""

from __future__ import annotations

import pytest
from starlette.types import Receive, Scope, Send

from api.config import Settings
from api.errors import Overloaded
from api.web.asgi.entry import Entry
from api.web.asgi.errors import Errors, respond
from tests.web.apps import written
from tests.web.raw import run

pytestmark = pytest.mark.usefixtures("app")
TEXT = "a canary"
"""Of an exception: it may repeat what a client sent."""


def service(environment: dict[str, str], app: object, *, debug: bool = False) -> Entry:
    errors = Errors(app, debug=debug)  # type: ignore[arg-type]
    return Entry(errors, Settings.from_env(environment), lifespan=errors)


async def broken(scope: Scope, receive: Receive, send: Send) -> None:
    raise ZeroDivisionError(TEXT)


async def busy(scope: Scope, receive: Receive, send: Send) -> None:
    raise Overloaded()


async def broken_halfway(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    raise ZeroDivisionError


def test_a_bug_before_flask_is_a_bare_500(environment: dict[str, str]) -> None:
    with written() as log:
        response = run(service(environment, broken))

    assert response is not None
    assert response.status_code == 500
    error = response.json()["error"]
    assert error.keys() == {"code", "message", "details", "request_id"}
    assert error["request_id"] == response.headers["X-Request-ID"] == log.lines[0]["request_id"]
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "canary" not in response.text + log.text
    assert "ZeroDivisionError" in log.lines[0]["exc_info"]


def test_in_development_it_shows_its_stack(environment: dict[str, str]) -> None:
    response = run(service(environment, broken, debug=True))

    assert response is not None
    assert "ZeroDivisionError: a canary\n" in response.json()["error"]["stack"]


def test_an_expected_failure_keeps_its_headers(environment: dict[str, str]) -> None:
    response = run(service(environment, busy))

    assert response is not None
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) in range(2, 6)


def test_an_answer_on_its_way_is_cut_off_rather_than_mended(environment: dict[str, str]) -> None:
    """A second start would be a protocol error; the server drops the connection instead."""
    with written() as log, pytest.raises(ZeroDivisionError):
        run(service(environment, broken_halfway))

    assert [line["level"] for line in log.lines] == ["ERROR", "INFO"]
    assert log.lines[1]["status"] == 200


def test_an_answer_is_sent_whole(environment: dict[str, str]) -> None:
    async def small(scope: Scope, receive: Receive, send: Send) -> None:
        await respond(send, 200, b"body", {"X-Name": "value"})

    response = run(service(environment, small))

    assert response is not None
    assert (response.content, response.headers["content-length"]) == (b"body", "4")
    assert response.headers["x-name"] == "value"
