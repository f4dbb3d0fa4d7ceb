"""Signed notes that a caller carries from one part of a list to the next, and cannot write."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from itsdangerous import BadData, URLSafeSerializer

_MARKS: dict[str, Callable[[str], Any]] = {"t": datetime.fromisoformat, "u": UUID}


class Cursors:
    """*keys*: the first signs, each of them is accepted. The salt changes when old notes mean nothing."""

    def __init__(self, keys: tuple[str, ...], salt: str = "cursor-1") -> None:
        oldest_first = list(reversed(keys))
        self._serializer = URLSafeSerializer(oldest_first, salt=salt, serializer=_Notes)

    def write(self, note: Any) -> str:
        """*note*: JSON with times and ids."""
        return self._serializer.dumps(note)

    def read(self, cursor: str) -> Any:
        """The note as it was written (tuples as lists), or None when we did not write it."""
        try:
            return self._serializer.loads(cursor)
        except BadData:
            return None


class _Notes:
    """JSON in which a time or an id keeps its type."""

    @staticmethod
    def dumps(note: Any) -> str:
        return json.dumps(note, default=_marked, ensure_ascii=False, separators=(",", ":"))

    @staticmethod
    def loads(text: str | bytes) -> Any:
        return json.loads(text, object_hook=_unmarked)


def _marked(value: Any) -> dict[str, str]:
    if isinstance(value, datetime):
        return {"~t": value.isoformat()}
    if isinstance(value, UUID):
        return {"~u": str(value)}
    raise TypeError(f"no cursor can hold a {type(value).__name__}")


def _unmarked(found: dict[str, Any]) -> Any:
    for mark, read in _MARKS.items():
        if (value := found.get(f"~{mark}")) is not None:
            return read(value)
    return found
