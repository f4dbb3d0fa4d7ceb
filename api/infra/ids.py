"""Ids: UUIDv7, so that new rows land at the end of every index (RFC 9562, 5.7)."""

from __future__ import annotations

from uuid import UUID

import uuid_utils
from uuid_utils.compat import uuid7


def new_id() -> UUID:
    return uuid7()


def new_name() -> str:
    """The same as text, for what is only written down."""
    return str(uuid_utils.uuid7())
