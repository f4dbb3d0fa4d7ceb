"""What is written: one JSON object a line, and nothing of what a client or a row holds."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from starlette.testclient import TestClient

from api.app import App
from api.config import Settings
from api.infra import logging as our_logging
from api.infra.db import db, transactional
from api.infra.logging import CONTROLS, request_fields
from tests.infra.link import closed_port
from tests.people import Person
from tests.web.apps import serving, written
from tests.web.raw import JSON, ask

CANARY = "c4n4ry"
POSTS, LOGIN, SIGN_UP = "/api/v1/posts", "/api/v1/auth/login", "/api/v1/auth/signup"
BREAKING = ["a\nb", "a\r\nb", "\x1b[31m", "\u2028\u2029\x85", '"}{', "\ud800", "\u202ea"]
log = logging.getLogger("tests")


def asking(method: str, target: str, *headers: tuple[bytes, bytes], body: Any = None) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode() if body else b""
    given = [*(JSON if raw else ()), *headers]
    return lambda client: ask(client, method, target.encode(), given, [raw], documented=False)


SIGNING_UP = {"email": "a@example.com", "username": "newcomer", "password": f"{CANARY} pass"}
PLACES: dict[str, Callable[[TestClient], Any]] = {
    "password in a sign-up": asking("POST", SIGN_UP, body=SIGNING_UP),
    "password in a login": asking(
        "POST", LOGIN, body={"email": "a@example.com", "password": CANARY}
    ),
    "password that is too long": asking(
        "POST", LOGIN, body={"email": "a@example.com", "password": CANARY * 100}
    ),
    "field of a wrong type": asking(
        "POST", LOGIN, body={"email": [CANARY], "password": {CANARY: 1}}
    ),
    "unknown key and value": asking("POST", LOGIN, body={CANARY: CANARY}),
    "query parameter": asking("GET", f"{POSTS}?page={CANARY}&{CANARY}=1&access_token={CANARY}"),
    "path": asking("GET", f"{POSTS}/{CANARY}"),
    "unknown path": asking("GET", f"/{CANARY}"),
    "method": asking(CANARY, "/nowhere"),
    "authorization": asking("GET", POSTS, (b"authorization", f"Bearer {CANARY}.x.y".encode())),
    "basic authorization": asking("GET", POSTS, (b"authorization", f"Basic {CANARY}".encode())),
    "cookie": asking(
        "POST",
        "/api/v1/auth/refresh",
        (b"cookie", f"refresh_token={CANARY}".encode()),
        (b"x-requested-with", b"tests"),
    ),
    "body that is not JSON": asking("POST", LOGIN, body=f"{{{CANARY}".encode()),
    "request id that is malformed": asking("GET", POSTS, (b"x-request-id", f"{CANARY} x".encode())),
    "referer": asking("GET", POSTS, (b"referer", f"https://x/?token={CANARY}".encode())),
    "forwarded address": asking("GET", POSTS, (b"x-forwarded-for", CANARY.encode())),
    "trace": asking("GET", POSTS, (b"traceparent", CANARY.encode())),
    "host": asking("GET", POSTS, (b"host", CANARY.encode())),
}


class TestCanaries:
    @pytest.mark.parametrize("place", PLACES)
    def test_are_in_no_line(self, client: TestClient, place: str) -> None:
        """A known trap: Connexion's own refusals carried the refused value into the log."""
        with written() as lines:
            PLACES[place](client)

        assert lines.lines
        # A method is no secret: what is not one is written as it came.
        hidden = [line | ({"method": ""} if place == "method" else {}) for line in lines.lines]
        assert CANARY not in json.dumps(hidden).lower()

    def test_the_text_of_an_exception_is_not_written(self, app: App) -> None:
        def fails() -> None:
            try:
                int(CANARY)
            except ValueError as err:
                raise RuntimeError(CANARY * 2) from err

        with written() as lines:
            try:
                fails()
            except RuntimeError:
                log.exception("failed")

        assert CANARY not in lines.text
        assert "builtins.ValueError" in lines.lines[0]["exc_info"]
        assert "builtins.RuntimeError" in lines.lines[0]["exc_info"]
        assert "in fails" in lines.lines[0]["exc_info"]

    @pytest.mark.parametrize(
        "statement",
        [
            "INSERT INTO users (id, email, username, password_hash) VALUES (:id, :text, 'x', :text)",
            "SELECT :text FROM nothing_of_this_name",
            "SELECT CAST(:text AS uuid)",
            "SELECT CAST(:text AS regclass)",
        ],
    )
    def test_the_parameters_of_a_failing_statement_are_not_written(
        self, app: App, clean: None, statement: str
    ) -> None:
        """SQLAlchemy puts them into the text, and PostgreSQL the row into its DETAIL."""

        def fails() -> None:
            values = {"text": CANARY, "id": "01a20547-abc9-7556-b949-68714accd4b0"}
            needed = {name: value for name, value in values.items() if f":{name}" in statement}
            db.session.execute(text(statement), needed)

        with app.flask.app_context(), written() as lines:
            try:
                transactional(fails)()
            except Exception:
                log.exception("failed")

        assert lines.lines
        assert CANARY not in lines.text

    def test_sqlalchemy_keeps_them_out_of_the_text_of_an_error(self, app: App, clean: None) -> None:
        """psycopg2's own part of it still has them, which is why texts are not written at all."""
        with app.flask.app_context(), pytest.raises(DBAPIError) as failed:
            db.session.execute(text("SELECT 1 FROM nothing WHERE x = :x"), {"x": CANARY})

        assert CANARY not in str(failed.value).partition("[SQL:")[2]


class TestLines:
    @pytest.fixture(autouse=True)
    def configured(self, app: App) -> None:
        """The service has set up its log."""

    @pytest.mark.parametrize("value", BREAKING)
    def test_are_one_object_each_whatever_they_carry(self, value: str) -> None:
        with written() as lines:
            log.info("message %s", value, extra={"extra": value})

        raw = lines.stream.getvalue()
        assert raw.count("\n") == 1
        assert raw.isascii()
        assert raw == json.dumps(json.loads(raw), separators=(",", ":")) + "\n"
        assert json.loads(raw)["message"] == f"message {value}"
        assert json.loads(raw)["extra"] == value

    def test_say_when_and_of_what(self) -> None:
        with written() as lines:
            log.warning("hello")

        [line] = lines.lines
        assert line["timestamp"].endswith("+00:00")
        assert {
            key: line[key] for key in ("level", "logger", "message", "service", "version", "env")
        } == {
            "level": "WARNING",
            "logger": "tests",
            "message": "hello",
            "service": "madang",
            "version": version("madang"),
            "env": "test",
        }

    def test_carry_the_request_they_belong_to(self) -> None:
        token = request_fields.set({"request_id": "r", "trace_id": "t"})
        try:
            with written() as lines:
                log.info("inside")
        finally:
            request_fields.reset(token)

        assert (lines.lines[0]["request_id"], lines.lines[0]["trace_id"]) == ("r", "t")

    def test_of_a_request_are_the_same_in_flask_and_outside(
        self, environment: dict[str, str]
    ) -> None:
        dead = f"redis://127.0.0.1:{closed_port()}/0"
        with serving(environment, REDIS_URL=dead) as client, written() as lines:
            client.get(POSTS)  # Redis is missed in Flask, in another thread

        assert {"api.infra.redis", "madang.access"} <= {line["logger"] for line in lines.lines}
        names = ("request_id", "trace_id", "span_id")
        assert len({tuple(line[name] for name in names) for line in lines.lines}) == 1

    def test_an_error_that_is_its_own_cause_is_written_and_done(self) -> None:
        err = ValueError()
        err.__cause__ = err

        with written() as lines:
            log.error("failed", exc_info=err)

        assert lines.lines[0]["exc_info"] == "builtins.ValueError"

    def test_no_error_at_all_is_no_error(self) -> None:
        with written() as lines:
            log.error("failed", exc_info=(None, None, None))

        assert lines.lines[0]["message"] == "failed"


class TestLevels:
    @pytest.fixture
    def restored(self, app: App, environment: dict[str, str]) -> Iterator[None]:
        yield
        our_logging.configure(Settings.from_env(environment))

    @pytest.mark.usefixtures("restored")
    def test_a_level_is_kept(self, environment: dict[str, str]) -> None:
        our_logging.configure(Settings.from_env(environment | {"LOG_LEVEL": "WARNING"}))

        with written() as lines:
            log.info("quiet")
            log.warning("loud")

        assert [line["message"] for line in lines.lines] == ["loud"]

    @pytest.mark.usefixtures("restored")
    def test_is_kept_by_gunicorn_too(self, environment: dict[str, str]) -> None:
        quiet = our_logging.configuration(Settings.from_env(environment | {"LOG_LEVEL": "ERROR"}))

        assert quiet["loggers"]["gunicorn.error"]["level"] == "ERROR"


class TestInDevelopment:
    @pytest.fixture(autouse=True)
    def configured(self, app: App, environment: dict[str, str]) -> Iterator[None]:
        our_logging.configure(Settings.from_env(environment | {"ENVIRONMENT": "development"}))
        yield
        our_logging.configure(Settings.from_env(environment))

    def test_a_person_can_read_it(self, client: TestClient, ada: Person) -> None:
        with written() as lines:
            response = client.get(f"{POSTS}/{ada.id}")

        request_id = response.headers["X-Request-ID"]
        pattern = r"\d\d:\d\d:\d\d\.\d{3} INFO request GET /api/v1/posts/{id} 404 NOT_FOUND [\d.]+ ms \[(.+)\]"
        found = re.fullmatch(pattern, lines.text)
        assert found
        assert found[1] == request_id

    def test_korean_stays_what_it_is(self) -> None:
        with written() as lines:
            log.info("마당")

        assert lines.text.endswith("마당")

    def test_the_texts_of_exceptions_are_shown(self) -> None:
        with written() as lines:
            log.error("failed", exc_info=ValueError("the text"))

        assert lines.text.endswith("failed\n    ValueError: the text")

    @pytest.mark.parametrize("value", BREAKING)
    def test_no_value_begins_a_line_or_moves_the_cursor(self, value: str) -> None:
        with written() as lines:
            log.error("of %s", value, exc_info=ValueError(value))

        raw = lines.stream.getvalue()
        assert CONTROLS.search(raw.replace("\n", "")) is None
        first, *others = raw.splitlines()
        assert first.partition(" ")[2].startswith("ERROR of ")
        assert all(line.startswith("    ") for line in others)

    def test_secrets_are_masked_here_too(self) -> None:
        with written() as lines:
            log.error("password=%s", CANARY, exc_info=ValueError(f"Bearer {CANARY}"))

        assert CANARY not in lines.text


def test_everything_a_process_writes_is_json_on_standard_output(
    environment: dict[str, str],
) -> None:
    program = (
        "import os, logging\n"
        "from api.app import create_app\n"
        "from api.config import Settings\n"
        "create_app(Settings.from_env(os.environ))\n"
        "logging.getLogger('somebody.else').warning('a line\\nand another')\n"
    )
    root = Path(__file__).resolve().parents[2]

    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment | {"PATH": os.environ["PATH"]},
        cwd=root,
        capture_output=True,
        check=True,
        timeout=30,
    )

    assert done.stderr == b""
    [line] = done.stdout.splitlines()
    assert json.loads(line)["message"] == "a line\nand another"
