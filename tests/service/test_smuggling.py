"""H5: a request hidden in the body of another one is never taken for a request, directly or through nginx."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from tests import live, nginx

pytestmark = pytest.mark.slow
PATIENCE = 10
HOST = b"Host: localhost\r\nContent-Type: application/json\r\n"
HIDDEN = b"GET /api/v1/users?username=hidden HTTP/1.1\r\nHost: localhost\r\n\r\n"
LENGTH = b"Content-Length: %d\r\n" % len(HIDDEN)
BEHIND_CHUNKS = b"0\r\n\r\n" + HIDDEN
LENGTH_BEHIND = b"Content-Length: %d\r\n" % len(BEHIND_CHUNKS)
POST = b"POST /api/v1/posts HTTP/1.1\r\n" + HOST
CASES = {
    "a length and chunks": POST + LENGTH_BEHIND + b"Transfer-Encoding: chunked\r\n\r\n" + BEHIND_CHUNKS,
    "chunks and a length": POST + b"Transfer-Encoding: chunked\r\n" + LENGTH_BEHIND + b"\r\n" + BEHIND_CHUNKS,
    "two lengths": POST + b"Content-Length: 0\r\n" + LENGTH + b"\r\n" + HIDDEN,
    "two lengths, the other way round": POST + LENGTH + b"Content-Length: 0\r\n\r\n" + HIDDEN,
    "a list of lengths": POST + b"Content-Length: 0, %d\r\n\r\n" % len(HIDDEN) + HIDDEN,
    "a length with a plus": POST + b"Content-Length: +0\r\n\r\n" + HIDDEN,
    "a tab before chunked": POST + LENGTH_BEHIND + b"Transfer-Encoding:\tchunked\r\n\r\n" + BEHIND_CHUNKS,
    "a space before the colon": POST + LENGTH_BEHIND + b"Transfer-Encoding : chunked\r\n\r\n" + BEHIND_CHUNKS,
    "chunked in disguise": POST + LENGTH_BEHIND + b"Transfer-Encoding: xchunked\r\n\r\n" + BEHIND_CHUNKS,
    "chunked after another": POST + LENGTH_BEHIND + b"Transfer-Encoding: identity, chunked\r\n\r\n" + BEHIND_CHUNKS,
    "two codings": POST + LENGTH_BEHIND + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n" + BEHIND_CHUNKS,
    "a folded header": POST + LENGTH_BEHIND + b"X: y\r\n Transfer-Encoding: chunked\r\n\r\n" + BEHIND_CHUNKS,
    "a length behind a bare line feed": POST + b"X: y\n" + LENGTH + b"\r\n" + HIDDEN,
    "a body with GET": b"GET /healthz HTTP/1.1\r\n" + HOST + LENGTH + b"\r\n" + HIDDEN,
}  # fmt: skip


@pytest.fixture(scope="module", params=["directly", "through nginx"])
def url(
    request: pytest.FixtureRequest,
    server: live.Server,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    if request.param == "directly":
        yield server.url
        return
    with nginx.in_front_of(server.url, home=tmp_path_factory.mktemp("nginx")) as front:
        yield front


@pytest.mark.parametrize("case", CASES)
def test_what_is_hidden_is_no_request(case: str, url: str, server: live.Server) -> None:
    before = hidden(server)

    answers = converse(url, CASES[case])

    assert answers.count(b"HTTP/1.1 ") <= 1, answers
    for number in range(5):
        own = {"X-Request-ID": f"own-{number}"}
        next_one = httpx.get(f"{url}/readyz", headers=own)
        assert (next_one.status_code, next_one.headers["X-Request-ID"]) == (200, f"own-{number}")
    assert hidden(server) == before


def test_two_requests_are_two(url: str, server: live.Server) -> None:
    """So that the test above could fail."""
    before = hidden(server)

    answers = converse(url, POST + b"Content-Length: 0\r\n\r\n" + HIDDEN)

    assert answers.count(b"HTTP/1.1 ") == 2
    assert hidden(server) == before + 1


def hidden(server: live.Server) -> int:
    """How often what the body hides was answered."""
    return sum(line.get("route") == "/api/v1/users" for line in server.lines())


def converse(url: str, raw: bytes) -> bytes:
    """All that comes back on one connection, until it ends or is silent for a second."""
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port), timeout=PATIENCE) as connection:
        connection.sendall(raw)
        answers = connection.recv(65536)
        connection.settimeout(1)
        try:
            while more := connection.recv(65536):
                answers += more
        except (TimeoutError, ConnectionError):
            pass
    return answers
