"""The address a request came from, as far as our own proxies vouch for it."""

from __future__ import annotations

from starlette.types import Scope

from api.web.asgi.headers import joined


def client_address(scope: Scope, hops: int) -> str:
    """The entry of X-Forwarded-For that the outermost trusted proxy appended; else the peer.

    *hops* proxies of ours stand in front, and each appends the address it saw. What stands further
    left was written by the client and means nothing.
    """
    peer = scope.get("client")
    address: str = peer[0] if peer else "unknown"
    if hops:
        entries = [e.strip() for e in joined(scope, b"x-forwarded-for").split(",")]
        if len(entries) >= hops and entries[-hops]:
            address = entries[-hops]
    return address[:64]
