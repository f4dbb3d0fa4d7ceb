"""One thread at a time for what many want at once (single flight)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

LONGEST_WAIT = 1.0
"""Seconds for an answer that somebody else makes: a hung database would hold up all of them in a row."""


class Flights:
    """Lets one thread at a time do what is known by a key."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._waiting: dict[str, tuple[Lock, int]] = {}

    @contextmanager
    def alone(self, key: str) -> Iterator[bool]:
        """Yields whether nobody else was there. Who has waited for too long does not wait any more."""
        with self._lock:
            mine, others = self._waiting.get(key, (Lock(), 0))
            self._waiting[key] = (mine, others + 1)
        has_turn = mine.acquire(timeout=LONGEST_WAIT)
        try:
            yield not others
        finally:
            if has_turn:
                mine.release()
            with self._lock:
                mine, others = self._waiting.pop(key)
                if others > 1:
                    self._waiting[key] = (mine, others - 1)
