"""What every request gets: an id, a trace, an access line. And what is no request."""

from __future__ import annotations

import re
from importlib.metadata import version
from typing import Any
from uuid import UUID

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from tests.people import Person
from tests.web.apps import written
from tests.web.raw import ask

POSTS = "/api/v1/posts"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


class TestRequestId:
    @pytest.mark.parametrize("given", ["a", "A-z_0.9", "x" * 128])
    def test_a_well_formed_one_is_kept(self, client: TestClient, given: str) -> None:
        with written() as log:
            response = client.get(f"{POSTS}?x", headers={"X-Request-ID": given})

        assert response.headers["X-Request-ID"] == given
        assert response.json()["error"]["request_id"] == given
        assert {line["request_id"] for line in log.lines} == {given}

    @pytest.mark.parametrize(
        "given",
        [
            b"",
            b"x" * 129,
            b"a b",
            b"a\nb",
            b"a\n",
            b"<script>",
            b"\xff",
            "마".encode(),
            b"a,b",
            b"../x",
        ],
    )
    def test_any_other_is_replaced(self, client: TestClient, given: bytes) -> None:
        answer = ask(client, "GET", POSTS.encode(), [(b"x-request-id", given)])

        assert answer is not None
        assert UUID(answer.headers["X-Request-ID"]).version == 7

    def test_each_request_gets_its_own(self, client: TestClient) -> None:
        found = {client.get("/healthz").headers["X-Request-ID"] for _ in range(10)}

        assert len(found) == 10


class TestTrace:
    def trace_of(self, client: TestClient, parent: str) -> str:
        with written() as log:
            client.get(f"{POSTS}?x", headers={"traceparent": parent})
        [trace] = {line["trace_id"] for line in log.lines}
        return str(trace)

    def test_one_that_was_begun_goes_on(self, client: TestClient) -> None:
        assert self.trace_of(client, f"00-{TRACE}-00f067aa0ba902b7-01") == TRACE

    @pytest.mark.parametrize(
        "parent",
        [
            "",
            "canary",
            f"ff-{TRACE}-00f067aa0ba902b7-01",
            f"00-{TRACE.upper()}-00f067aa0ba902b7-01",
            f"00-{'0' * 32}-00f067aa0ba902b7-01",
            f"00-{TRACE}-{'0' * 16}-01",
            f"00-{TRACE}-00f067aa0ba902b7-01-x",
            f"00-{TRACE}-00f067aa0ba902b7",
        ],
    )
    def test_any_other_begins_a_new_one(self, client: TestClient, parent: str) -> None:
        """W3C Trace Context, 3.2.2: ids of zeros and what cannot be parsed do not count."""
        trace = self.trace_of(client, parent)

        assert re.fullmatch("[0-9a-f]{32}", trace)
        assert trace != TRACE


class TestAccessLine:
    def line(self, log: Any) -> dict[str, Any]:
        [found] = [line for line in log.lines if line["logger"] == "madang.access"]
        return dict(found)

    def test_tells_who_asked_for_what_and_how_it_went(
        self, client: TestClient, ada: Person
    ) -> None:
        with written() as log:
            response = client.get(
                f"{POSTS}/{ada.id}?", headers=ada.auth | {"User-Agent": "tests/1.0"}
            )

        line = self.line(log)
        assert line | {"duration_ms": 0, "timestamp": ""} == {
            "level": "INFO",
            "logger": "madang.access",
            "message": "request",
            "service": "madang",
            "version": version("madang"),
            "env": "test",
            "method": "GET",
            "route": "/api/v1/posts/{id}",
            "status": 404,
            "duration_ms": 0,
            "bytes": len(response.content),
            "ip": "testclient",
            "user_agent": "tests/1.0",
            "user_id": str(ada.id),
            "request_id": response.headers["X-Request-ID"],
            "trace_id": line["trace_id"],
            "span_id": line["span_id"],
            "code": "NOT_FOUND",
            "faults": 0,
            "timestamp": "",
        }
        assert 0 < line["duration_ms"] < 10_000

    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [
            ("GET", "/nowhere", 404),
            ("PUT", POSTS, 405),
            ("HEAD", "/healthz", 200),
            ("GET", "/", 302),
        ],
    )
    def test_is_written_whatever_became_of_the_request(
        self, client: TestClient, method: str, path: str, status: int
    ) -> None:
        """A known trap: what never enters Flask was in no log of its own."""
        with written() as log:
            client.request(method, path, follow_redirects=False)

        line = self.line(log)
        assert (line["method"], line["status"], line["user_id"]) == (method, status, None)

    def test_is_never_long(self, client: TestClient) -> None:
        with written() as log:
            ask(client, "M" * 8_000, b"/healthz", [(b"user-agent", b"x" * 8_000)], documented=False)

        assert len(log.text.splitlines()[-1]) < 1_000

    @pytest.mark.parametrize(
        "agent", ['a"b\\c', "a\r\nb", "a\x1b[31mb", "a\u2028b\u2029c\u0085d", "\x00\x7f"]
    )
    def test_cannot_be_broken_from_outside(self, client: TestClient, agent: str) -> None:
        with written() as log:
            ask(client, "GET", f"{POSTS}/".encode() + b"%0d%0a%1b%e2%80%a8", documented=False)
            ask(client, "GET", b"/healthz", [(b"user-agent", agent.encode())])

        raw = log.stream.getvalue()
        assert raw.isascii()
        assert all(line.startswith("{") and line.endswith("}") for line in raw.split("\n")[:-1])
        assert set(raw) - {"\n"} == set(filter(str.isprintable, raw))
        assert log.lines[-1]["user_agent"] == agent.encode().decode("latin-1")


class TestNoRequest:
    def test_a_websocket_is_refused(self, client: TestClient) -> None:
        """Servers offer it to whoever asks, and Connexion died of it."""
        with written() as log, pytest.raises(WebSocketDisconnect):
            with client.websocket_connect(POSTS):
                raise AssertionError("it was opened")

        assert "ERROR" not in log.text
