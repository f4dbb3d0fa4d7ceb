"""Where a transaction ends, and what runs after it. On the real database, with real failures."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from api.app import App
from api.errors import Conflict, DomainError, Overloaded
from api.infra.db import TRIES, core, db, on_commit, only_read, transactional
from api.infra.ids import new_id
from api.infra.logging import request_fields
from api.infra.metrics import AFTER_COMMIT_FAILURES
from tests.infra.outages import Query
from tests.people import People
from tests.web.apps import written

LOSES_AT_COMMIT = """
    CREATE TEMP TABLE losing (x int) ON COMMIT DROP;
    CREATE FUNCTION pg_temp.lose() RETURNS trigger LANGUAGE plpgsql
        AS $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40001'; END $$;
    CREATE CONSTRAINT TRIGGER lose AFTER INSERT ON losing DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION pg_temp.lose();
    INSERT INTO losing VALUES (1);
"""
COUNT = "SELECT count(*) FROM audit_logs"
ADD = "INSERT INTO audit_logs (id, action, ip, request_id) VALUES (:id, 'a', 'i', 'r')"


class Refusal(Conflict):
    """Drops what was written."""


class NotedRefusal(Conflict):
    keeps_writes = True


@pytest.fixture
def inside(app: App, clean: None) -> Iterator[None]:
    with app.flask.app_context():
        yield


@pytest.fixture
def other(app: App) -> Iterator[Connection]:
    """Another connection, that sees only what was committed."""
    with app.flask.app_context(), db.reads.connect() as connection:
        yield connection


def write() -> UUID:
    found = new_id()
    db.session.execute(text(ADD), {"id": found})
    return found


def write_and_raise(err: BaseException) -> Callable[[], None]:
    def handler() -> None:
        write()
        raise err

    return handler


@pytest.mark.usefixtures("inside")
class TestTransaction:
    def test_is_committed_once_the_handler_returns(self, other: Connection) -> None:
        assert isinstance(transactional(write)(), UUID)

        assert other.scalar(text(COUNT)) == 1

    @pytest.mark.parametrize("err", [Refusal(), ValueError(), KeyboardInterrupt()])
    def test_is_rolled_back_when_anything_is_raised(
        self, other: Connection, err: BaseException
    ) -> None:
        with pytest.raises(type(err)):
            transactional(write_and_raise(err))()

        assert other.scalar(text(COUNT)) == 0

    def test_is_committed_when_a_refusal_keeps_what_was_written(self, other: Connection) -> None:
        """A known trap: else an ended session or a failed login would be forgotten again."""
        refusal = NotedRefusal({"field": "fault"})

        with pytest.raises(NotedRefusal) as raised:
            transactional(write_and_raise(refusal))()

        assert raised.value is refusal
        assert other.scalar(text(COUNT)) == 1

    def test_is_one_also_on_a_connection_that_was_made_anew(
        self, app: App, other: Connection, query: Query
    ) -> None:
        """SQLAlchemy replaces one that was lost, and tells nobody. Connections begin outside of transactions."""
        before = other.scalar(text(COUNT))
        with db.engine.connect() as connection:
            pid = connection.scalar(text("SELECT pg_backend_pid()"))
            query("SELECT pg_terminate_backend(:pid)", pid=pid)
            with pytest.raises(OperationalError):
                connection.execute(text("SELECT 1"))
            connection.rollback()
            connection.execute(text(ADD), {"id": new_id()})
            connection.rollback()

        assert other.scalar(text(COUNT)) == before

    def test_its_connection_has_a_limit_to_everything_that_can_hang(self) -> None:
        wanted = {
            "statement_timeout": "3s",
            "lock_timeout": "2s",
            "idle_in_transaction_session_timeout": "10s",
            "TimeZone": "UTC",
            "application_name": "madang",
        }

        assert {name: db.session.scalar(text(f"SHOW {name}")) for name in wanted} == wanted


HEARD = "SELECT query FROM pg_stat_activity WHERE pid = :pid"
"""What a connection has asked last."""


class TestReading:
    def test_takes_one_trip(self, app: App, other: Connection) -> None:
        """A known trap: psycopg2 tells the server of each change of the isolation level, before it and afterwards."""
        question = "SELECT pg_backend_pid() -- the only question"
        heard = []
        for ask in (lambda: core(db.session()), db.session):
            with app.flask.app_context():
                only_read()
                pid = ask().scalar(text(question))
            heard.append(other.scalar(text(HEARD), {"pid": pid}))

        assert heard == [question, question]

    def test_needs_one_connection_with_the_orm_and_without(self, app: App) -> None:
        question = text("SELECT pg_backend_pid()")
        with app.flask.app_context():
            only_read()
            session = db.session()
            pids = {
                session.scalar(question),
                core(session).scalar(question),
                session.scalar(question),
            }

        assert len(pids) == 1

    def test_leaves_no_transaction_and_no_connection(self, app: App, other: Connection) -> None:
        with app.flask.app_context():
            only_read()
            pid = core(db.session()).scalar(text("SELECT pg_backend_pid()"))
            state = other.scalar(
                text("SELECT state FROM pg_stat_activity WHERE pid = :pid"), {"pid": pid}
            )
            taken = db.engine.pool.checkedout()  # type: ignore[attr-defined]
        with app.flask.app_context():
            assert db.engine.pool.checkedout() == taken - 1  # type: ignore[attr-defined]

        assert state == "idle"

    @pytest.mark.parametrize(
        "execute", [lambda: core(db.session()).execute, lambda: db.session.execute]
    )
    def test_that_writes_fails_a_test(self, app: App, execute: Callable[[], Any]) -> None:
        """Nothing would undo it: tests/conftest.py listens to what is asked without a transaction."""
        with app.flask.app_context():
            only_read()
            with pytest.raises(AssertionError, match="DELETE"):
                execute()(text("DELETE FROM users"))

    def test_is_over_once_something_is_written(
        self, app: App, clean: None, other: Connection
    ) -> None:
        with app.flask.app_context():
            only_read()
            assert core(db.session()).scalar(text(COUNT)) == 0
            transactional(write)()

        assert other.scalar(text(COUNT)) == 1


@pytest.mark.usefixtures("inside")
class TestAfterTheCommit:
    def test_an_action_sees_what_was_committed(self, other: Connection) -> None:
        seen: list[object] = []

        def handler() -> None:
            write()
            on_commit(db.session(), lambda: seen.append(other.scalar(text(COUNT))))
            assert seen == []

        transactional(handler)()

        assert seen == [1]

    def test_an_action_runs_once(self) -> None:
        runs: list[int] = []
        transactional(lambda: on_commit(db.session(), lambda: runs.append(1)))()
        transactional(write)()

        assert runs == [1]

    def test_actions_of_a_refusal_that_keeps_its_writes_run(self) -> None:
        runs: list[int] = []

        def handler() -> None:
            on_commit(db.session(), lambda: runs.append(1))
            raise NotedRefusal()

        with pytest.raises(NotedRefusal):
            transactional(handler)()

        assert runs == [1]

    def test_actions_are_dropped_with_the_transaction(self) -> None:
        runs: list[int] = []

        def handler() -> None:
            on_commit(db.session(), lambda: runs.append(1))
            raise Refusal()

        with pytest.raises(Refusal):
            transactional(handler)()
        transactional(write)()

        assert runs == []

    def test_a_failing_one_is_counted_and_logged_and_changes_nothing_else(
        self, other: Connection
    ) -> None:
        """A known trap: a failed deletion in Redis made a committed write a 500."""
        runs: list[int] = []

        def handler() -> str:
            write()
            on_commit(db.session(), lambda: 1 // 0)
            on_commit(db.session(), lambda: runs.append(1))
            return "the answer"

        before, token = _failures(), request_fields.set({"trace_id": "a-trace"})
        try:
            with written() as log:
                assert transactional(handler)() == "the answer"
        finally:
            request_fields.reset(token)

        assert other.scalar(text(COUNT)) == 1
        assert (runs, _failures()) == ([1], before + 1)
        [line] = log.lines
        assert (line["level"], line["trace_id"]) == ("ERROR", "a-trace")
        assert line["message"] == "a side effect failed after the commit"
        assert "ZeroDivisionError" in line["exc_info"]


@pytest.mark.usefixtures("inside")
class TestRetry:
    @pytest.mark.parametrize("state", ["40001", "40P01"])
    def test_a_transaction_that_lost_is_run_again(self, other: Connection, state: str) -> None:
        handler = Losing(state, times=TRIES - 1)

        assert transactional(handler)() == "done"

        assert handler.calls == TRIES
        assert other.scalar(text(COUNT)) == 1

    def test_one_that_always_loses_is_given_up(self, other: Connection) -> None:
        handler = Losing("40001", times=99)

        with pytest.raises(Overloaded) as raised:
            transactional(handler)()

        assert handler.calls == TRIES
        assert int(raised.value.headers["Retry-After"]) in range(2, 6)
        assert other.scalar(text(COUNT)) == 0

    def test_no_other_failure_is_tried_again(self) -> None:
        handler = Losing("23505", times=99)

        with pytest.raises(DomainError):
            transactional(handler)()

        assert handler.calls == 1

    def test_actions_of_a_lost_try_do_not_run(self) -> None:
        runs: list[int] = []
        handler = Losing("40001", times=2, action=lambda: runs.append(1))

        transactional(handler)()

        assert runs == [1]

    def test_a_refusal_whose_commit_loses_is_run_again_as_well(self, other: Connection) -> None:
        calls: list[int] = []

        def handler() -> None:
            calls.append(1)
            write()
            if len(calls) == 1:
                db.session.execute(text(LOSES_AT_COMMIT))
            raise NotedRefusal()

        with pytest.raises(NotedRefusal):
            transactional(handler)()

        assert len(calls) == 2
        assert other.scalar(text(COUNT)) == 1

    def test_two_that_wait_for_each_other_both_end_well(
        self, app: App, people: People, other: Connection
    ) -> None:
        """A real deadlock: PostgreSQL kills one after its deadlock_timeout of a second."""
        ids = [people("ada").id, people("bob").id]
        meet = threading.Barrier(2, timeout=5)
        outcomes: list[object] = []

        def cross(order: list[UUID]) -> None:
            first_try = True

            def handler() -> None:
                nonlocal first_try
                # Let the server find the deadlock before our lock_timeout ends the wait.
                db.session.execute(text("SET LOCAL lock_timeout = '5s'"))
                _touch(order[0])
                if first_try:
                    first_try = False
                    meet.wait()
                _touch(order[1])

            with app.flask.app_context():
                outcomes.append(transactional(handler)())

        threads = [threading.Thread(target=cross, args=(o,)) for o in (ids, ids[::-1])]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)

        assert outcomes == [None, None]
        assert list(other.scalars(text("SELECT post_count FROM users"))) == [2, 2]


class Losing:
    """A handler that writes and then loses to another transaction, so many times."""

    def __init__(
        self, state: str, *, times: int, action: Callable[[], object] = lambda: None
    ) -> None:
        self.state, self.times, self.action, self.calls = state, times, action, 0

    def __call__(self) -> str:
        self.calls += 1
        write()
        on_commit(db.session(), self.action)
        if self.calls <= self.times:
            raise_in_server(self.state)
        return "done"

    __name__ = "losing"


def raise_in_server(state: str) -> None:
    db.session.execute(text(f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{state}'; END $$"))


def _touch(user_id: UUID) -> None:
    db.session.execute(
        text("UPDATE users SET post_count = post_count + 1 WHERE id = :id"), {"id": user_id}
    )


def _failures() -> float:
    return AFTER_COMMIT_FAILURES._value.get()
