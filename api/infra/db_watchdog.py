"""A limit to how long PostgreSQL may be silent, which the driver does not have.

A server that is stopped, or a network that swallows, keeps connections open and never answers:
statement_timeout runs in that server, and TCP sees nothing wrong. Without this each thread that asks would
be lost until the server comes back, and soon there would be none left.
"""

from __future__ import annotations

import logging
import os
import select
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from threading import Lock, Thread
from typing import Any, ClassVar

from prometheus_client import Histogram
from psycopg2 import Error, InterfaceError, OperationalError
from psycopg2.extensions import (
    ISOLATION_LEVEL_AUTOCOMMIT,
    TRANSACTION_STATUS_IDLE,
    connection,
    cursor,
)
from sqlalchemy import Engine, event
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DisconnectionError

from api.infra.db_metrics import duration_of
from api.infra.db_password import Password

log = logging.getLogger(__name__)
_commits = duration_of("COMMIT")

LIMIT = 4.5
"""Seconds: above what the server's own limits leave to any statement, below what an answer may take."""
LOOK = 0.25
SLOW = 1.0
"""Seconds: a failure that comes sooner costs nobody much of a thread's time."""
REST = 0.5
"""Seconds until somebody tries again."""


class Watchdog:
    """Hangs up on servers that say nothing, so that whoever waits for them gets an error."""

    def __init__(self) -> None:
        self._since: dict[WatchedConnection, float] = {}
        self._lock = Lock()
        self._thread: Thread | None = None

    def begin(self, waiting: WatchedConnection) -> None:
        with self._lock:
            self._since[waiting] = time.monotonic()
            if self._thread is None or not self._thread.is_alive():  # a fork takes no thread along
                self._thread = Thread(target=self._watch, name="db-watchdog", daemon=True)
                self._thread.start()

    def end(self, waiting: WatchedConnection) -> None:
        with self._lock:
            self._since.pop(waiting, None)

    def _watch(self) -> None:
        while True:
            time.sleep(LOOK)
            with self._lock:  # so that nobody goes on with it meanwhile
                late = time.monotonic() - LIMIT
                silent = [each for each, since in self._since.items() if since < late]
                for each in silent:
                    del self._since[each]
                    _hang_up(each)
            for each in silent:
                each.was_silent()
            if silent:
                log.warning("database: silent for %s s, %d waited", LIMIT, len(silent))


watchdog = Watchdog()


class _Trip:
    """To the server and back: watched, and timed where a *duration* is given. (A generator would take longer.)"""

    __slots__ = ("_began", "_connection", "_duration")

    def __init__(self, connection: WatchedConnection, duration: Histogram | None = None) -> None:
        self._connection = connection
        self._duration = duration

    def __enter__(self) -> None:
        self._began = time.perf_counter()
        watchdog.begin(self._connection)

    def __exit__(self, *_: object) -> None:
        watchdog.end(self._connection)
        if self._duration:
            self._duration.observe(time.perf_counter() - self._began)


class WatchedCursor(cursor):
    connection: WatchedConnection

    def execute(self, query: Any, values: Any = None) -> None:
        self.ask(query, values, query)

    def ask(self, query: Any, values: Any, counted_as: Any) -> None:
        """*counted_as*: the statement that it stands for."""
        connection = self.connection
        with _Trip(connection, duration_of(counted_as) if connection.is_timed else None):
            super().execute(query, values)


class WatchedConnection(connection):
    """Every trip to the server is watched and timed."""

    is_timed: ClassVar[bool] = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cursor_factory = WatchedCursor
        self.was_silent: Callable[[], object] = lambda: None
        """Called after it was hung up on."""
        self.has_idled = False

    def commit(self) -> None:
        with _Trip(self, _commits):
            super().commit()

    def rollback(self) -> None:
        # A server that is lost has rolled back already. A request that only read ends so after its
        # answer was sent: what fails then would cut that answer off. The pool finds out when it is wanted again.
        with suppress(OperationalError, InterfaceError), _Trip(self):
            super().rollback()

    def set_isolation_level(self, level: Any) -> None:
        # Before and after a request that writes: with a transaction of the server's default level, and without.
        # psycopg2's own would also tell the server of it, a trip each time. A lost connection cannot be set: whoever
        # uses it hears of it. One whose transaction could not be ended, since its COMMIT or ROLLBACK was cancelled, is
        # closed: the pool makes another one, where it would have lost a place.
        if self.get_transaction_status() != TRANSACTION_STATUS_IDLE:
            self.close()
        with suppress(OperationalError, InterfaceError):
            self.autocommit = level == ISOLATION_LEVEL_AUTOCOMMIT


class Breaker:
    """After a silence one at a time tries to connect, and the others are told at once."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._next_try = 0.0
        self._tries = False

    def watch(self, engine: Engine, password: Password) -> None:
        def connect(dialect: Dialect, _: Any, args: Any, options: Any) -> WatchedConnection:
            return self._connect(
                lambda word: dialect.connect(*args, **{**options, "password": word}), password
            )

        event.listen(engine, "do_connect", connect)
        event.listen(engine, "checkout", _is_there)

    def _connect(
        self, connect: Callable[[str | None], Any], password: Password
    ) -> WatchedConnection:
        made: WatchedConnection = self.call(lambda: password.call(connect))
        made.was_silent = self.rest
        return made

    def rest(self) -> None:
        with self._lock:
            self._next_try = time.monotonic() + REST

    def call(self, connect: Callable[[], Any]) -> Any:
        """What *connect* returns. Raises ``OperationalError`` in its place while it rests."""
        with self._lock:
            is_open = self._next_try > 0
            if is_open and (self._tries or time.monotonic() < self._next_try):
                raise OperationalError("the server was silent a moment ago")
            self._tries = is_open
        started = time.monotonic()
        slow = False
        try:
            return connect()
        except Error:
            slow = time.monotonic() - started >= SLOW
            raise
        finally:
            with self._lock:
                self._tries = False
                self._next_try = time.monotonic() + REST if slow else 0.0


def _is_there(connection: Any, *_: Any) -> None:
    """Asks the kernel and not the server, which would be a trip for each request.

    One that idles and still has something to say says goodbye, or tells of a setting: a new connection is as good.
    """
    if not connection.has_idled:
        # It was made a moment ago. One that is lost already fails its first statement, which says so to the client;
        # the pool would try a few others and give up with an error that speaks of a bug.
        connection.has_idled = True
        return
    if not connection.closed:  # as it may be since it was used last
        said = select.poll()
        said.register(connection.fileno(), select.POLLIN)
        if not said.poll(0):
            return
    raise DisconnectionError("the server has hung up")


def _hang_up(silent: WatchedConnection) -> None:
    """Beneath the driver, whose own close waits for the thread that waits."""
    with suppress(Error, OSError), socket.socket(fileno=os.dup(silent.fileno())) as own:
        own.shutdown(socket.SHUT_RDWR)
