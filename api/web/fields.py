"""How values of every resource look on the wire."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from marshmallow import fields


class Timestamp(fields.Field[datetime]):
    """RFC 3339 in UTC with microseconds and ``Z``."""

    def _serialize(self, value: datetime | None, *_: Any, **__: Any) -> str | None:
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ") if value else None
