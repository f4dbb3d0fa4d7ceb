"""How long the database takes, and how much of the pool is in use."""

from __future__ import annotations

import time
from typing import Any

from psycopg2.extensions import connection
from sqlalchemy import Engine, event
from sqlalchemy.engine import ExceptionContext, ExecutionContext

from api.infra.metrics import DB_POOL_CAPACITY, DB_POOL_CONNECTIONS, DB_QUERY_DURATION

OPERATIONS = ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")

_durations = {name: DB_QUERY_DURATION.labels(name.lower()) for name in (*OPERATIONS, "COMMIT")}
_others = DB_QUERY_DURATION.labels("other")
_in_use = DB_POOL_CONNECTIONS.labels("in_use")
_idle = DB_POOL_CONNECTIONS.labels("idle")


class TimedConnection(connection):
    """A commit is no statement, so SQLAlchemy has no event for how long it takes."""

    def commit(self) -> None:
        with _durations["COMMIT"].time():
            super().commit()


def watch(engine: Engine, capacity: int) -> None:
    DB_POOL_CAPACITY.set(capacity)
    event.listen(engine, "before_cursor_execute", _begin)
    event.listen(engine, "after_cursor_execute", _end)
    event.listen(engine, "handle_error", _fail)
    event.listen(engine, "connect", lambda *_: _idle.inc())
    event.listen(engine, "close", lambda *_: _idle.dec())
    event.listen(engine, "checkout", lambda *_: _move(_idle, _in_use))
    event.listen(engine, "checkin", lambda *_: _move(_in_use, _idle))


def _begin(_conn: Any, _cursor: Any, _sql: str, _values: Any, context: Any, _many: bool) -> None:
    context.madang_began = time.perf_counter()


def _end(
    _conn: Any, _cursor: Any, sql: str, _values: Any, context: ExecutionContext, _many: bool
) -> None:
    _observe(sql, context)


def _fail(failed: ExceptionContext) -> None:
    if failed.execution_context is not None and failed.statement is not None:
        _observe(failed.statement, failed.execution_context)


def _observe(sql: str, context: Any) -> None:
    name = sql.lstrip()[:6].upper().rstrip()
    seconds = time.perf_counter() - context.madang_began
    _durations.get(name, _others).observe(seconds)


def _move(source: Any, target: Any) -> None:
    source.dec()
    target.inc()
