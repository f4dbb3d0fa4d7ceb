"""Whoever says which version they have seen changes that one or nothing (no lost updates)."""

from __future__ import annotations

from typing import Protocol

from api.errors import PreconditionFailed

Seen = frozenset[int] | None
"""The versions that the caller knows of; None when they do not mind."""


class Versioned(Protocol):
    @property
    def version(self) -> int: ...


def require(thing: Versioned, seen: Seen) -> None:
    """To be asked once the thing is locked. Raises ``PreconditionFailed``."""
    if seen is not None and thing.version not in seen:
        raise PreconditionFailed()
