"""What each failure of the database means to a client; every one is PostgreSQL's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine, NullPool, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import InvalidRequestError, ProgrammingError

from api.app import App
from api.errors import (
    Conflict,
    DomainError,
    InvalidInput,
    NotFound,
    Overloaded,
    ReadOnly,
    TimedOut,
    Unavailable,
)
from api.infra import db_errors
from api.infra.db import db, transactional, translated
from api.infra.ids import new_id
from api.infra.metrics import GUARD_MISSES
from tests.infra.link import closed_port
from tests.people import Person
from tests.waiting import until
from tests.web.apps import written

Query = Callable[..., list[tuple[object, ...]]]


@pytest.fixture
def inside(app: App, clean: None) -> Iterator[None]:
    with app.flask.app_context():
        yield


def run(*statements: str, **values: object) -> DomainError:
    """The failure that these statements end in."""

    def handler() -> None:
        for statement in statements:
            db.session.execute(text(statement), values)

    with pytest.raises(DomainError) as failed:
        transactional(handler)()
    return failed.value


@pytest.mark.usefixtures("inside")
class TestTimes:
    def test_a_statement_that_takes_too_long(self) -> None:
        assert type(run("SET LOCAL statement_timeout = 20", "SELECT pg_sleep(5)")) is TimedOut

    def test_a_lock_that_somebody_keeps(self, app: App, ada: Person) -> None:
        with db.engine.connect() as holder:
            holder.execute(text("SELECT id FROM users FOR UPDATE"))

            failure = run("SET LOCAL lock_timeout = 20", "UPDATE users SET bio = 'x'")

        assert type(failure) is TimedOut

    def test_a_transaction_that_does_nothing(self, app: App) -> None:
        def idle() -> None:
            db.session.execute(text("SET LOCAL idle_in_transaction_session_timeout = 20"))
            wait_until_gone(db.session.scalar(text("SELECT pg_backend_pid()")))
            db.session.execute(text("SELECT 1"))

        with pytest.raises((TimedOut, Unavailable)):  # whichever reaches the client first
            transactional(idle)()


@pytest.mark.usefixtures("inside")
class TestRules:
    def test_a_value_that_must_be_unique(self, ada: Person) -> None:
        copy = (
            "INSERT INTO users (id, email, username, password_hash) "
            "SELECT :id, 'other@example.com', username, password_hash FROM users"
        )

        assert type(run(copy, id=new_id())) is Conflict

    def test_a_reference_to_nothing(self) -> None:
        orphan = "INSERT INTO posts (id, author_id, title, body) VALUES (:id, :id, 't', 'b')"

        assert type(run(orphan, id=new_id())) is NotFound

    def test_the_constraint_can_be_told(self, ada: Person) -> None:
        with pytest.raises(Exception) as failed:
            db.session.execute(text("UPDATE users SET username = 'NO'"))

        assert db_errors.violated(failed.value) == "ck_users_username_form"  # type: ignore[arg-type]
        db.session.rollback()


@pytest.mark.usefixtures("inside")
class TestValues:
    @pytest.mark.parametrize(
        ("statement", "value"),
        [
            ("SELECT CAST(:value AS integer)", "99999999999"),
            ("SELECT CAST(:value AS uuid)", "not-a-uuid"),
            ("SELECT CAST(:value AS timestamptz)", "9999-99-99"),
            ("SELECT CAST(:value AS jsonb)", r'"\u0000"'),
            ("SELECT convert_from(CAST(:value AS bytea), 'UTF8')", b"\xff"),
            ("SELECT :value", "\ud800"),
        ],
        ids=["22003", "22P02", "22008", "22P05", "22021", "lone surrogate"],
    )
    def test_one_that_the_guard_should_have_refused_is_a_400_and_counted(
        self, statement: str, value: object
    ) -> None:
        before = GUARD_MISSES._value.get()

        with written() as log:
            assert type(run(statement, value=value)) is InvalidInput

        assert GUARD_MISSES._value.get() == before + 1
        assert [line["level"] for line in log.lines] == ["ERROR"]
        assert str(value) not in log.text


@pytest.mark.usefixtures("inside")
class TestServers:
    def test_one_that_takes_no_writes(self) -> None:
        assert type(run("SET TRANSACTION READ ONLY", "DELETE FROM posts")) is ReadOnly

    def test_one_whose_process_was_killed(self, app: App) -> None:
        def handler() -> None:
            pid = db.session.scalar(text("SELECT pg_backend_pid()"))
            with db.engine.connect() as other:
                other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
            wait_until_gone(pid)
            db.session.execute(text("SELECT 1"))

        with pytest.raises(Unavailable) as failed:
            transactional(handler)()

        assert failed.value.code == "DB_UNAVAILABLE"
        assert db.session.scalar(text("SELECT 1")) == 1

    def test_one_that_ends_each_connection_at_once(self) -> None:
        """And not a bug, which SQLAlchemy's pool would make of it after its third try."""
        db.engine.dispose()  # those that idle
        with every_connection_ended(db.engine):
            assert type(run("SELECT 1")) is Unavailable
        assert db.session.scalar(text("SELECT 1")) == 1

    def test_one_that_nobody_reaches(self) -> None:
        nowhere = f"postgresql+psycopg2://nobody@127.0.0.1:{closed_port()}/x"

        assert type(failure_of(nowhere)) is Unavailable

    def test_one_that_has_no_place_left(self, environment: dict[str, str]) -> None:
        """53300, as when max_connections is reached."""
        with crowded(environment["DATABASE_URL"]) as url:
            failure = failure_of(url)

        assert type(failure) is Unavailable

    @pytest.mark.parametrize(
        ("state", "kind"),
        [
            ("57P01", Unavailable),
            ("57P02", Unavailable),
            ("57P03", Unavailable),
            ("08000", Unavailable),
            ("08006", Unavailable),
            ("53300", Unavailable),
            ("53100", ReadOnly),
            ("25006", ReadOnly),
            ("57014", TimedOut),
            ("55P03", TimedOut),
            ("40001", Overloaded),
            ("40P01", Overloaded),
        ],
    )
    def test_every_state_of_the_table_is_a_503_to_be_repeated(
        self, state: str, kind: type[DomainError]
    ) -> None:
        failure = run(f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{state}'; END $$")

        assert type(failure) is kind
        assert failure.status == 503
        assert int(failure.headers["Retry-After"]) > 0

    def test_such_a_failure_is_logged_once(self) -> None:
        with written() as log:
            run("SET TRANSACTION READ ONLY", "DELETE FROM posts")

        assert [line["message"] for line in log.lines] == ["database: 25006"]


@pytest.mark.usefixtures("inside")
class TestWhatNobodyForesaw:
    def test_comes_back_as_it_is(self) -> None:
        with pytest.raises(ProgrammingError), translated():
            db.session.execute(text("SELECT * FROM nothing_of_this_name"))

    def test_a_fault_in_the_use_of_sqlalchemy_too(self) -> None:
        err = InvalidRequestError("used wrongly")

        assert db_errors.translate(err) is err


@contextmanager
def every_connection_ended(engine: Engine) -> Iterator[None]:
    """As soon as it is made."""

    def end(connection: Any, _: object) -> None:
        with engine_of_its_own().connect() as other:
            pid = connection.info.backend_pid
            other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
        wait_until_gone(pid)

    event.listen(engine, "connect", end)
    try:
        yield
    finally:
        event.remove(engine, "connect", end)


@contextmanager
def crowded(url: str) -> Iterator[str]:
    """Where the server lets no more in; a superuser it always does, so then as somebody else.

    The connection that undoes it is open before: afterwards there would be none to be had.
    """
    known = make_url(url).set(drivername="postgresql+psycopg2")
    engine = create_engine(known, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as keeper:
        if keeper.scalar(text("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")):
            keeper.execute(text("DROP ROLE IF EXISTS madang_tests_crowded"))
            do = "CREATE ROLE madang_tests_crowded LOGIN PASSWORD 'p' CONNECTION LIMIT 0"
            undo = "DROP ROLE madang_tests_crowded"
            known = known.set(username="madang_tests_crowded", password="p")
        else:
            do = f'ALTER DATABASE "{known.database}" CONNECTION LIMIT 0'
            undo = f'ALTER DATABASE "{known.database}" CONNECTION LIMIT -1'
        keeper.execute(text(do))
        try:
            yield known.render_as_string(hide_password=False)
        finally:
            keeper.execute(text(undo))


def failure_of(url: str) -> DomainError:
    engine = create_engine(url, poolclass=NullPool)
    with pytest.raises(DomainError) as failed, translated(), engine.connect():
        raise AssertionError("there was a connection")
    return failed.value


def wait_until_gone(pid: object) -> None:
    statement = text("SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = :pid")
    with engine_of_its_own().connect() as watcher:
        autocommit = watcher.execution_options(isolation_level="AUTOCOMMIT")
        until(lambda: autocommit.scalar(statement, {"pid": pid}))


def engine_of_its_own() -> Engine:
    return create_engine(db.engine.url, poolclass=NullPool)
