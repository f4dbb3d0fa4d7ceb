"""Bytes that never become a request: still the one shape, nothing quoted, no 5xx."""

from __future__ import annotations

import json
import socket
from email.parser import BytesParser
from typing import Any
from urllib.parse import urlsplit

import pytest
from openapi_schema_validator import OAS30ReadValidator

from tests import live
from tests.spec import CONTRACT

pytestmark = pytest.mark.slow
CANARY = b"canary-5f2c"
HOST = b"Host: localhost\r\n"

REQUESTS = {
    "a first line over 8 KiB": b"GET /api/v1/posts?q="
    + CANARY
    + b"x" * 9000
    + b" HTTP/1.1\r\n"
    + HOST,
    "a header over 8 KiB": b"GET /healthz HTTP/1.1\r\n"
    + HOST
    + b"X-Long: "
    + CANARY
    + b"x" * 9000
    + b"\r\n",
    "101 headers": b"GET /healthz HTTP/1.1\r\n"
    + HOST
    + b"".join(b"X-%d: 1\r\n" % n for n in range(101)),
    "no version": b"GET /" + CANARY + b"\r\n",
    "an unknown version": b"GET /" + CANARY + b" HTTP/9.9\r\n" + HOST,
    "a space in the target": b"GET /" + CANARY + b" x HTTP/1.1\r\n" + HOST,
    "a bad header name": b"GET /healthz HTTP/1.1\r\n" + HOST + CANARY + b"(: 1\r\n",
    "a folded header": b"GET /healthz HTTP/1.1\r\n" + HOST + b"X-A: 1\r\n " + CANARY + b"\r\n",
    "two lengths": b"POST /api/v1/posts HTTP/1.1\r\n"
    + HOST
    + b"Content-Length: 1\r\nContent-Length: 2\r\n",
    "a length that is none": b"POST /api/v1/posts HTTP/1.1\r\n"
    + HOST
    + b"Content-Length: "
    + CANARY
    + b"\r\n",
    "a length and chunks": b"POST /api/v1/posts HTTP/1.1\r\n"
    + HOST
    + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
    "an unknown coding": b"POST /api/v1/posts HTTP/1.1\r\n"
    + HOST
    + b"Transfer-Encoding: "
    + CANARY
    + b"\r\n",
}


@pytest.mark.parametrize("case", REQUESTS)
def test_is_answered_in_the_one_shape(case: str, server: live.Server) -> None:
    status, headers, body = _send(server, REQUESTS[case] + b"\r\n")

    assert status == 400
    assert headers["Content-Type"] == "application/json"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert body["error"]["code"] == "INVALID_INPUT"
    assert body["error"]["request_id"] == headers["X-Request-ID"]
    schema = {"$ref": "#/components/schemas/Error", "components": CONTRACT.document["components"]}
    OAS30ReadValidator(schema).validate(body)
    assert CANARY.decode() not in json.dumps(body)
    assert CANARY not in server.log.read_bytes()


def test_a_websocket_is_a_plain_request(server: live.Server) -> None:
    upgrade = (
        b"Connection: Upgrade, close\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )

    status, headers, body = _send(server, b"GET /api/v1/posts HTTP/1.1\r\n" + HOST + upgrade)

    assert (status, body["status"]) == (200, "ok")
    assert headers["X-RateLimit-Limit"]


@pytest.mark.parametrize(
    "host", [b".", b"a..b", b"a" * 64, b"xn--" + b"z" * 60, b"1" * 400, b"a b", b"[", b"%00"]
)
def test_a_host_that_is_no_name_is_no_fault(host: bytes, server: live.Server) -> None:
    raw = b"GET /api/v1/posts HTTP/1.1\r\nConnection: close\r\nHost: " + host + b"\r\n\r\n"

    assert _send(server, raw)[0] in (200, 400)


def _send(server: live.Server, raw: bytes) -> tuple[int, Any, dict[str, Any]]:
    """Status, headers and JSON of what comes back before the connection ends."""
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname, address.port), timeout=5) as connection:
        connection.sendall(raw)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    head, _, body = answer.partition(b"\r\n\r\n")
    first, _, lines = head.partition(b"\r\n")
    return int(first.split()[1]), BytesParser().parsebytes(lines), json.loads(body)
