"""Servers that say nothing are hung up on; after that one at a time finds out whether they do again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Event

import psycopg2
import pytest
from psycopg2.extensions import ISOLATION_LEVEL_AUTOCOMMIT

from api.infra import db_watchdog
from api.infra.db_watchdog import Breaker, WatchedConnection
from tests.infra.outages import Query
from tests.waiting import until


@pytest.fixture
def connection(environment: dict[str, str]) -> Iterator[WatchedConnection]:
    made = psycopg2.connect(environment["DATABASE_URL"], connection_factory=WatchedConnection)
    yield made
    made.close()


class TestWatchdog:
    def test_whoever_waits_too_long_is_freed(
        self, connection: WatchedConnection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(db_watchdog, "LIMIT", 0.3)
        silences: list[bool] = []
        connection.was_silent = lambda: silences.append(True)

        with pytest.raises(psycopg2.OperationalError):
            connection.cursor().execute("SELECT pg_sleep(20)")

        assert connection.closed
        until(lambda: silences == [True])

    def test_many_short_statements_are_none_that_is_long(
        self, connection: WatchedConnection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(db_watchdog, "LIMIT", 0.5)
        cursor = connection.cursor()
        end = time.monotonic() + 1.2
        while time.monotonic() < end:
            cursor.execute("SELECT pg_sleep(0.05)")
        time.sleep(db_watchdog.LOOK * 3)  # between statements nobody waits for the server
        cursor.execute("SELECT 1")

        assert cursor.fetchone() == (1,)

    def test_a_statement_that_fails_is_forgotten(
        self, connection: WatchedConnection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(db_watchdog, "LIMIT", 0.3)
        with pytest.raises(psycopg2.Error):
            connection.cursor().execute("SELECT nothing")
        connection.rollback()
        time.sleep(db_watchdog.LOOK * 3)
        connection.cursor().execute("SELECT 1")

    @pytest.mark.parametrize("end", ["commit", "rollback"])
    def test_the_end_of_a_transaction_is_watched_too(
        self,
        connection: WatchedConnection,
        end: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        watched = []
        begin = db_watchdog.watchdog.begin

        def noted(waiting: WatchedConnection) -> None:
            watched.append(waiting)
            begin(waiting)

        monkeypatch.setattr(db_watchdog.watchdog, "begin", noted)
        getattr(connection, end)()

        assert watched == [connection]


@pytest.mark.parametrize("statement", ["SELECT 1", "SELECT nothing"])
def test_one_whose_transaction_could_not_be_ended_is_not_used_again(
    connection: WatchedConnection, statement: str
) -> None:
    """Somebody cancelled its ROLLBACK or COMMIT. An error here would cost the pool a place, for good."""
    with suppress(psycopg2.Error):
        connection.cursor().execute(statement)

    connection.set_isolation_level(ISOLATION_LEVEL_AUTOCOMMIT)

    assert connection.closed


def test_a_lost_server_has_rolled_back(connection: WatchedConnection, query: Query) -> None:
    connection.cursor().execute("SELECT 1")
    query("SELECT pg_terminate_backend(:pid)", pid=connection.info.backend_pid)

    connection.rollback()
    connection.rollback()

    assert connection.closed


class Server:
    """What one may try to connect to."""

    def __init__(self) -> None:
        self.tries = 0
        self.takes = 0.0
        self.works = False

    def connect(self) -> str:
        self.tries += 1
        time.sleep(self.takes)
        if not self.works:
            raise psycopg2.OperationalError("no")
        return "a connection"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    monkeypatch.setattr(db_watchdog, "SLOW", 0.1)
    monkeypatch.setattr(db_watchdog, "REST", 0.2)
    return Server()


class TestBreaker:
    def fails(self, breaker: Breaker, server: Server) -> float:
        """Seconds until it is said."""
        began = time.monotonic()
        with pytest.raises(psycopg2.OperationalError):
            breaker.call(server.connect)
        return time.monotonic() - began

    def test_failures_that_come_quickly_leave_it_closed(self, server: Server) -> None:
        breaker = Breaker()
        for _ in range(5):
            self.fails(breaker, server)
        assert server.tries == 5

    def test_a_slow_one_opens_it_and_it_closes_again(self, server: Server) -> None:
        breaker, server.takes = Breaker(), 0.15
        assert self.fails(breaker, server) > 0.1
        for _ in range(5):
            self.fails(breaker, server)
        assert server.tries == 1  # nobody else waited for it

        server.works, server.takes = True, 0.0
        until(lambda: self.succeeds(breaker, server))
        assert server.tries == 2
        assert breaker.call(server.connect)
        assert server.tries == 3

    def test_so_does_a_silence(self, server: Server) -> None:
        breaker, server.works = Breaker(), True
        breaker.rest()
        self.fails(breaker, server)
        assert server.tries == 0
        until(lambda: self.succeeds(breaker, server))

    def test_one_at_a_time_finds_out(self, server: Server) -> None:
        breaker, goes = Breaker(), Event()
        breaker.rest()
        began = Event()

        def slow() -> str:
            began.set()
            goes.wait(10)
            return "a connection"

        with ThreadPoolExecutor(1) as pool:
            until(lambda: time.monotonic() > breaker._next_try)
            first = pool.submit(breaker.call, slow)
            began.wait(10)
            self.fails(breaker, server)
            assert server.tries == 0
            goes.set()
            assert first.result() == "a connection"

    def succeeds(self, breaker: Breaker, server: Server) -> bool:
        try:
            return bool(breaker.call(server.connect))
        except psycopg2.OperationalError:
            return False
