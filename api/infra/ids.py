"""Ids: UUIDv7, so that new rows land at the end of every index (RFC 9562, 5.7)."""

from __future__ import annotations

from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    return uuid7()
