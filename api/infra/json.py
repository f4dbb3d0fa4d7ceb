"""JSON as the contract has it, by orjson."""

from __future__ import annotations

from typing import Any

import orjson


def dumps(value: Any) -> bytes:
    """Ids and times may stand in *value* as they are; a time needs microseconds and a zone (api/web/fields.py)."""
    return orjson.dumps(value, option=orjson.OPT_UTC_Z)


def loads(text: str | bytes) -> Any:
    """Raises ``ValueError``."""
    return orjson.loads(text)
