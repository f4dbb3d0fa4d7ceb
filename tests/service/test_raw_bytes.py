"""Over two hundred requests that nobody should send: no 5xx, no hang, the one shape wherever HTTP allows it."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from http.client import HTTPException, HTTPResponse
from itertools import cycle
from urllib.parse import urlsplit

import pytest
from openapi_schema_validator import OAS30ReadValidator

from tests import live, nginx
from tests.people import People
from tests.service.raw_requests import Raw, all_of_them
from tests.spec import CONTRACT

pytestmark = pytest.mark.slow
PATIENCE = 10
SOURCES = cycle(f"127.0.0.{last}" for last in range(31, 39))
REQUESTS = dict(all_of_them())
COMPONENTS = {"components": CONTRACT.document["components"]}
ERROR = OAS30ReadValidator({"$ref": "#/components/schemas/Error"} | COMPONENTS)


@pytest.fixture(scope="module")
def directly(
    environment: dict[str, str], app: object, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[live.Server]:
    log = tmp_path_factory.mktemp("raw") / "log"
    with live.serve(environment | {"RATE_LIMIT_SCALE": "1000"}, log) as server:
        yield server


@pytest.fixture(scope="module", params=["directly", "through nginx"])
def url(
    request: pytest.FixtureRequest, directly: live.Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    if request.param == "directly":
        yield directly.url
        return
    with nginx.in_front_of(directly.url, home=tmp_path_factory.mktemp("nginx")) as front:
        yield front


def test_are_two_hundred_and_more() -> None:
    assert len(REQUESTS) > 200


@pytest.mark.parametrize("name", REQUESTS)
def test_answer(name: str, url: str, people: People, directly: live.Server) -> None:
    raw = REQUESTS[name]
    token = people("ada").token.encode()

    answer = exchange(url, Raw(raw.bytes.replace(b"{token}", token), raw.is_whole))

    if answer is None:
        assert not raw.is_whole
        return
    status, media_type, body = answer
    assert status < 500, body
    if status >= 400 and raw.method != "HEAD":
        assert media_type == "application/json", body
        ERROR.validate(json.loads(body))
    assert [line for line in directly.lines() if line["level"] == "ERROR"] == []


def exchange(url: str, raw: Raw) -> tuple[int, str, bytes] | None:
    """What comes back; nothing, if the connection only ends."""
    address = urlsplit(url)
    # From one address they would be a flood on a fast machine.
    with socket.create_connection(
        (address.hostname, address.port), PATIENCE, source_address=(next(SOURCES), 0)
    ) as connection:
        try:
            connection.sendall(raw.bytes)
            if not raw.is_whole:
                connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it was refused before it was read to its end
        answer = HTTPResponse(connection, method=raw.method)
        try:
            answer.begin()
            return answer.status, answer.headers.get_content_type(), answer.read()
        except (ConnectionError, HTTPException):
            return None
        finally:
            answer.close()


def test_it_is_well_afterwards(url: str) -> None:
    answer = exchange(
        url, Raw(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    )
    assert answer is not None
    assert answer[0] == 200
