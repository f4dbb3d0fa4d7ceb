"""What each connection tells PostgreSQL once: the same answers, also after PostgreSQL has forgotten it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import (
    ARRAY,
    Connection,
    Integer,
    LargeBinary,
    Uuid,
    bindparam,
    func,
    literal_column,
    select,
    text,
)
from sqlalchemy.exc import DBAPIError
from starlette.testclient import TestClient

from api.app import App
from api.infra import db_prepared
from api.infra.db import core, db, only_read, transactional
from api.infra.db_prepared import prepared
from api.infra.metrics import DB_QUERY_DURATION
from api.models import User
from tests.people import People, Person
from tests.web.apps import app_with, client_of, written

NAMES = text("SELECT statement FROM pg_prepared_statements WHERE name LIKE 'madang_%' ORDER BY 1")
AT_ONCE = 3
"""Connections that are looked at."""


@pytest.fixture
def own(environment: dict[str, str], clean: None) -> Iterator[App]:
    """A service whose connections have been told nothing yet."""
    with app_with(environment, RATE_LIMIT_SCALE="100") as app:
        yield app


@pytest.fixture
def connection(own: App) -> Iterator[Connection]:
    with own.flask.app_context(), db.reads.connect() as connection:
        yield connection


def told(connection: Connection) -> list[str]:
    return list(connection.scalars(NAMES))


def told_in_all(app: App) -> list[str]:
    with ExitStack() as stack, app.flask.app_context():
        open_ones = [stack.enter_context(db.reads.connect()) for _ in range(AT_ONCE)]
        return [statement for each in open_ones for statement in told(each)]


VALUES: dict[str, Any] = {
    "a uuid": uuid4(),
    "text": 'it\'s 100 % \\ "마당" %(x)s :y $1',
    "nothing": None,
    "a number": 7,
    "a large one": 2**60,
    "yes": True,
    "a time": datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
    "a while": timedelta(days=2, microseconds=3),
}


@pytest.mark.parametrize("name", VALUES)
def test_a_value_comes_as_without(connection: Connection, name: str) -> None:
    value = VALUES[name]
    statement: Any = select(bindparam("given", value), literal_column("'100%'"))

    found = [connection.execute(prepared(statement), {"given": value}).one() for _ in range(2)]

    assert found == [connection.execute(statement, {"given": value}).one()] * 2
    assert found[0] == (value, "100%")
    assert len(told(connection)) == 1


def test_a_list_comes_as_without(connection: Connection) -> None:
    found = bindparam("given", type_=ARRAY(Uuid))
    ids = [uuid4(), uuid4()]

    assert connection.scalar(prepared(select(found)), {"given": ids}) == ids


def test_bytes_come_as_without(connection: Connection) -> None:
    statement: Any = prepared(select(bindparam("given", type_=LargeBinary)))

    found = connection.execute(statement, {"given": b"\x00\xff%"}).scalar_one()

    assert bytes(found) == b"\x00\xff%"


def test_a_parameter_may_stand_twice(connection: Connection) -> None:
    twice = prepared(select(bindparam("n", type_=Integer) + bindparam("n", type_=Integer)))

    assert connection.scalar(twice, {"n": 21}) == 42


def test_a_percent_sign_is_one_without_parameters_too(connection: Connection) -> None:
    statement: Any = prepared(select(literal_column("7 % 4"), literal_column("'100%'")))

    assert connection.execute(statement).one() == (3, "100%")
    assert len(told(connection)) == 1


def test_who_is_not_marked_is_not_prepared(connection: Connection) -> None:
    connection.execute(select(literal_column("1")))

    assert told(connection) == []


def test_it_is_counted_as_what_it_is(connection: Connection) -> None:
    def number() -> float:
        return sum(each.get() for each in DB_QUERY_DURATION.labels("select")._buckets)

    statement: Any = prepared(select(literal_column("2")))
    connection.execute(statement)
    before = number()
    connection.execute(statement)

    assert number() == before + 1


def test_requests_have_theirs_prepared(own: App, ada: Person) -> None:
    with client_of(own) as client:
        write_and_read(client, ada.auth)

    found = "\n".join(told_in_all(own))
    for wanted in ("INSERT INTO posts", "INSERT INTO post_totals", "FOR NO KEY UPDATE"):
        assert wanted in found
    assert "FROM posts JOIN users" in found
    assert "search" not in found


def write_and_read(client: TestClient, auth: dict[str, str]) -> None:
    body = {"title": "t", "body": "b", "is_published": True}
    response = client.post("/api/v1/posts", json=body, headers=auth)
    assert response.status_code == 201
    found = client.get(f"/api/v1/posts/{response.json()['data']['id']}", headers=auth)
    assert found.json() == response.json()
    assert client.get("/api/v1/posts", params={"q": "absent"}).json()["data"]["total"] == 0


def key_of(client: TestClient, owner: Person) -> dict[str, str]:
    body = {"name": "tests", "scopes": ["read", "write"]}
    made = client.post("/api/v1/api-keys", json=body, headers=owner.auth)
    return {"X-API-Key": made.json()["data"]["key"]}


Loses = Callable[[Connection], None]


def forgets(connection: Connection) -> None:
    connection.execute(text("DEALLOCATE ALL"))


def has_it_already(connection: Connection) -> None:
    """As where others share the connection to the server."""
    [name] = connection.scalars(text("SELECT name FROM pg_prepared_statements")).all()
    told = connection.info[db_prepared.TOLD]
    assert told == {name}
    told.clear()


@pytest.mark.parametrize("loses", [forgets, has_it_already])
def test_what_is_lost_is_asked_as_it_stands(connection: Connection, loses: Loses) -> None:
    statement: Any = prepared(select(bindparam("given", 1)))
    connection.execute(statement)
    loses(connection)

    with written() as log:
        found = [connection.scalar(statement, {"given": n}) for n in (2, 3)]

    assert found == [2, 3]
    assert [line["logger"] for line in log.lines] == [db_prepared.__name__]


def test_so_it_is_when_the_table_has_changed(connection: Connection) -> None:
    connection.execute(text("CREATE TEMP TABLE changing AS SELECT 1 AS value"))
    statement: Any = prepared(select(literal_column("value")).select_from(text("changing")))
    assert connection.scalar(statement) == 1

    connection.execute(text("ALTER TABLE changing ALTER COLUMN value TYPE text"))

    assert connection.scalar(statement) == "1"


@pytest.mark.parametrize("by_key", [False, True], ids=["token", "key"])
def test_a_transaction_that_lost_one_is_tried_again(
    own: App, people: People, *, by_key: bool
) -> None:
    ada = people("ada")
    with client_of(own) as client:
        auth = key_of(client, ada) if by_key else ada.auth
        write_and_read(client, auth)
        with own.flask.app_context(), db.reads.connect() as only_one:
            assert told(only_one)
            forgets(only_one)
        with written() as log:
            write_and_read(client, auth)

        assert "a prepared statement is lost (26000)" in log.text
        assert client.get("/api/v1/posts").json()["data"]["total"] == 2


def test_what_is_wrong_with_a_value_is_told_as_ever(connection: Connection) -> None:
    statement: Any = prepared(select(1 / bindparam("given", 1)))

    with pytest.raises(DBAPIError) as caught:
        connection.execute(statement, {"given": 0})

    assert caught.value.orig is not None
    assert getattr(caught.value.orig, "pgcode", "") == "22012"
    assert connection.scalar(statement, {"given": 1}) == 1
    assert len(told(connection)) == 1


def test_it_outlives_a_transaction_that_is_rolled_back(own: App) -> None:
    statement: Any = prepared(select(bindparam("given", 1)))

    def fails() -> None:
        core(db.session()).execute(statement)
        raise ZeroDivisionError

    with own.flask.app_context():
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                transactional(fails)()
        only_read()
        assert core(db.session()).scalar(statement, {"given": 5}) == 5


def test_the_orm_reads_it_too(own: App, ada: Person) -> None:
    with own.flask.app_context():
        only_read()
        for _ in range(2):
            user = db.session.get(User, ada.id, execution_options=db_prepared.PREPARED)
            assert user is not None
            assert user.username == "ada"
            db.session.expunge_all()
    assert len(told_in_all(own)) == 1


def test_nothing_is_prepared_where_nothing_can_be(connection: Connection) -> None:
    """How that is noticed is held by tests/faults/test_pgbouncer.py."""
    connection.info[db_prepared.TOLD] = None

    assert connection.scalar(prepared(select(func.abs(-1)))) == 1
    assert told(connection) == []


def test_two_of_one_text_may_have_parameters_of_other_types(connection: Connection) -> None:
    """Else 1.5 would be 2."""
    values = (7, "x", 1.5, UUID(int=1))

    found = [connection.scalar(prepared(select(bindparam("given", value)))) for value in values]

    assert found == list(values)
    assert len(told(connection)) == len(values)


def test_one_with_a_parameter_for_each_value_is_not_prepared(connection: Connection) -> None:
    several: Any = prepared(select(literal_column("1")).where(literal_column("2").in_([1, 2])))

    assert connection.scalar(several) == 1
    assert told(connection) == []


def test_one_that_could_not_be_prepared_is_tried_again(connection: Connection) -> None:
    statement: Any = prepared(select(literal_column("value")).select_from(text("later")))
    with pytest.raises(DBAPIError):
        connection.execute(statement)

    connection.execute(text("CREATE TEMP TABLE later AS SELECT 1 AS value"))

    assert connection.scalar(statement) == 1
    assert len(told(connection)) == 1


def test_an_operator_sees_what_it_is(own: App, connection: Connection) -> None:
    pid = connection.scalar(text("SELECT pg_backend_pid()"))
    found: Any = select(
        bindparam("given", "*/ x"), literal_column("'100%'"), literal_column("'*/ /* /*/ **/'")
    )
    connection.execute(prepared(found))

    with own.flask.app_context(), db.reads.connect() as other:
        shown = other.scalar(text(f"SELECT query FROM pg_stat_activity WHERE pid = {pid}"))
    assert ":given" in str(shown)
    assert "'100%'" in str(shown)
    assert "EXECUTE madang_" in str(shown)
