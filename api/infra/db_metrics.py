"""How long the database takes, and how much of the pool is in use."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any

from prometheus_client import Histogram
from sqlalchemy import Engine, event

from api.infra.metrics import DB_POOL_CAPACITY, DB_POOL_CONNECTIONS, DB_QUERY_DURATION

OPERATIONS = ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "COMMIT")

_durations = {name: DB_QUERY_DURATION.labels(name.lower()) for name in OPERATIONS}
_others = DB_QUERY_DURATION.labels("other")
_in_use = DB_POOL_CONNECTIONS.labels("in_use")
_idle = DB_POOL_CONNECTIONS.labels("idle")


def watch(engine: Engine, capacity: int) -> None:
    DB_POOL_CAPACITY.set(capacity)
    _Pool().watch(engine)


def duration_of(statement: str) -> Histogram:
    """Where the time that it takes is counted."""
    name = (statement.lstrip()[:7].split() or [""])[0].upper()
    return _durations.get(name, _others)


class _Pool:
    """Knows each place of the pool, since events come once, twice or not at all when connecting fails."""

    def __init__(self) -> None:
        self._open: set[Any] = set()
        self._taken: set[Any] = set()
        self._lock = Lock()

    def watch(self, engine: Engine) -> None:
        event.listen(engine, "connect", lambda _, place: self._note(self._open.add, place))
        event.listen(engine, "close", lambda _, place: self._note(self._open.discard, place))
        event.listen(engine, "checkout", lambda _, place, __: self._note(self._taken.add, place))
        event.listen(engine, "checkin", lambda _, place: self._note(self._taken.discard, place))

    def _note(self, change: Callable[[Any], None], place: Any) -> None:
        with self._lock:
            change(place)
            _in_use.set(len(self._open & self._taken))
            _idle.set(len(self._open - self._taken))
