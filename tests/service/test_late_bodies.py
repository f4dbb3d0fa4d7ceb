"""Whoever sends half a request and waits holds nothing that others need."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from urllib.parse import urlsplit

import httpx
import pytest

from tests import live

pytestmark = pytest.mark.slow
HALF = (
    b"POST /api/v1/auth/login HTTP/1.1\r\nHost: localhost\r\n"
    b'Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"email"'
)
IN_TIME = 16
"""Seconds, within which they have been refused; others are answered in a part of it."""
MANY = 40
"""More than there are threads for requests, in both processes."""


def test_others_are_answered_and_they_are_refused(server: live.Server, clean: None) -> None:
    address = urlsplit(server.url)
    with ExitStack() as stack:
        late = [
            stack.enter_context(socket.create_connection((address.hostname, address.port)))
            for _ in range(MANY)
        ]
        for connection in late:
            connection.sendall(HALF)

        answer = httpx.get(f"{server.url}/api/v1/posts", timeout=IN_TIME / 4)

        assert answer.status_code == 200
        for connection in late:
            connection.settimeout(IN_TIME)
            # Late ones count as failed logins do.
            assert connection.recv(12) in (b"HTTP/1.1 400", b"HTTP/1.1 429")
