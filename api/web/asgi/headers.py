"""Reading one header out of the few that a request has, without an index of them all."""

from __future__ import annotations

from starlette.types import Scope


def first(scope: Scope, name: bytes) -> str | None:
    """*name* in lower case, as ASGI has them."""
    for found, value in scope["headers"]:
        if found == name:
            text: str = value.decode("latin-1")
            return text
    return None


def joined(scope: Scope, name: bytes) -> str:
    """All lines of that name as one list (RFC 9110, 5.3)."""
    return ", ".join(value.decode("latin-1") for found, value in scope["headers"] if found == name)
