"""Where a request comes from: what our own proxies say, and never what the client says."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from api.web.asgi.client_address import client_address
from tests.web.apps import serving
from tests.web.raw import ask

PEER = "198.51.100.9"


def seen(hops: int, *forwarded: str, peer: str | None = PEER) -> str:
    raw = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    scope = {"type": "http", "headers": raw, "client": (peer, 5000) if peer else None}
    return client_address(scope, hops)


class TestWithoutProxies:
    @pytest.mark.parametrize("forged", ["192.0.2.1", "192.0.2.1, 192.0.2.2", "", "x" * 8_000])
    def test_the_peer_counts_whatever_the_header_says(self, forged: str) -> None:
        assert seen(0, forged) == PEER

    def test_no_peer_is_nobody_known(self) -> None:
        """As behind a Unix socket."""
        assert seen(0, peer=None) == "unknown"


class TestBehindProxies:
    @pytest.mark.parametrize(
        ("hops", "forwarded", "address"),
        [
            (1, ["192.0.2.1"], "192.0.2.1"),
            (1, ["forged, 192.0.2.1"], "192.0.2.1"),
            (1, ["forged", "192.0.2.1"], "192.0.2.1"),
            (1, ["a, b, c, d,192.0.2.1 "], "192.0.2.1"),
            (2, ["192.0.2.1, 203.0.113.7"], "192.0.2.1"),
            (2, ["forged, 192.0.2.1, 203.0.113.7"], "192.0.2.1"),
            (2, ["forged, 192.0.2.1", "203.0.113.7"], "192.0.2.1"),
        ],
    )
    def test_the_entry_of_the_outermost_proxy_counts(
        self, hops: int, forwarded: list[str], address: str
    ) -> None:
        """A known trap: Render's edge adds an entry, so one hop would be the edge for everybody."""
        assert seen(hops, *forwarded) == address

    @pytest.mark.parametrize(
        ("hops", "forwarded"), [(1, []), (1, [""]), (2, ["192.0.2.1"]), (2, [","])]
    )
    def test_too_few_entries_came_round_the_proxies(self, hops: int, forwarded: list[str]) -> None:
        assert seen(hops, *forwarded) == PEER

    def test_an_address_is_never_long(self) -> None:
        assert len(seen(1, "x" * 8_000)) == 64


@pytest.mark.parametrize("hops", [0, 1, 2])
def test_thirty_forged_headers_share_one_bucket(
    environment: dict[str, str], clean: None, hops: int
) -> None:
    """A known trap: a name with underscores is another header, and so no way in either."""
    ours = ["192.0.2.1", "203.0.113.7"][2 - hops :]
    with serving(environment, TRUSTED_PROXY_HOPS=str(hops)) as client:
        left = [charged(client, number, ours) for number in range(30)]

    assert left == list(range(99, 69, -1))


def charged(client: TestClient, number: int, ours: list[str]) -> int:
    forged = f"10.0.0.{number}"
    chain = ", ".join([forged, *ours]).encode()
    headers = [
        (b"x-forwarded-for", chain),
        (b"x_forwarded_for", forged.encode()),
        (b"x-real-ip", forged.encode()),
        (b"forwarded", f"for={forged}".encode()),
        (b"true-client-ip", forged.encode()),
    ]
    answer = ask(client, "GET", b"/api/v1/posts", headers)
    assert answer is not None
    return int(answer.headers["X-RateLimit-Remaining"])
