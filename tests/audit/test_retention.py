"""Audit rows are never changed, and only their age removes them; the database sees to both."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from api.app import App
from api.infra.db import db
from api.infra.db_errors import sqlstate
from tests.auth.flows import meanwhile

Query = Callable[..., list[tuple[object, ...]]]

ROWS = "SELECT audit_logs::text FROM audit_logs ORDER BY id"
NAMES = "SELECT request_id FROM audit_logs ORDER BY created_at"
ADD_OLD_ROW = """
    INSERT INTO audit_logs (id, action, ip, request_id, created_at)
    VALUES (gen_random_uuid(), 'user_created', 'local', 'old', now() - interval '10 years')
"""
NOT_ALLOWED = "42501"
CHECK_VIOLATION = "23514"


@pytest.fixture(autouse=True)
def aged_rows(query: Query, clean: None) -> None:
    """Some of a day and of ten, an hour younger or older, and an old one, each named after its age."""
    query(
        "INSERT INTO audit_logs (id, action, ip, request_id, created_at)"
        " SELECT gen_random_uuid(), 'user_created', 'local', days || 'd' || hours,"
        " now() - make_interval(days => days, hours => hours)"
        " FROM (VALUES (1, -1), (1, 1), (10, -1), (10, 1), (400, 0)) AS ages (days, hours)"
    )


def refusal_of(query: Query, statement: str) -> str:
    """The SQLSTATE with which the database refuses it."""
    with pytest.raises(DBAPIError) as caught:
        query(statement)
    return sqlstate(caught.value)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_logs SET ip = '203.0.113.7'",
        "UPDATE audit_logs SET created_at = now() - interval '10 years'",
        "DELETE FROM audit_logs",
        "DELETE FROM audit_logs WHERE created_at < now() - interval '399 days'",
        "TRUNCATE audit_logs",
        "TRUNCATE users, audit_logs CASCADE",
        "INSERT INTO audit_logs SELECT * FROM audit_logs ON CONFLICT (id) DO UPDATE SET ip = 'x'",
    ],
)
def test_nothing_changes_a_row(query: Query, statement: str) -> None:
    before = query(ROWS)

    assert refusal_of(query, statement) == NOT_ALLOWED
    assert query(ROWS) == before


def test_a_row_that_nobody_looks_for_is_no_matter(query: Query) -> None:
    query("DELETE FROM audit_logs WHERE false")
    query("UPDATE audit_logs SET ip = 'x' WHERE false")


class TestExpire:
    def test_removes_what_is_older_and_says_how_many(self, query: Query) -> None:
        assert query("SELECT expire_audit_logs(401)") == [(0,)]
        assert query("SELECT expire_audit_logs(10)") == [(2,)]
        assert query(NAMES) == [("10d-1",), ("1d1",), ("1d-1",)]
        assert query("SELECT expire_audit_logs(1)") == [(2,)]
        assert query(NAMES) == [("1d-1",)]
        assert query("SELECT expire_audit_logs(1)") == [(0,)]

    @pytest.mark.parametrize("days", ["0", "-1", "NULL", "-365"])
    def test_keeps_a_day_at_least(self, query: Query, days: str) -> None:
        before = query(ROWS)

        assert refusal_of(query, f"SELECT expire_audit_logs({days})") == CHECK_VIOLATION
        assert query(ROWS) == before

    @pytest.mark.parametrize("zone", ["Asia/Seoul", "America/St_Johns"])
    @pytest.mark.parametrize("style", ["ISO, MDY", "SQL, DMY", "German", "Postgres, MDY"])
    def test_counts_alike_wherever_the_operator_sits(
        self, query: Query, zone: str, style: str
    ) -> None:
        query(
            f"SET LOCAL timezone = '{zone}'; SET LOCAL datestyle = '{style}';"
            "SELECT expire_audit_logs(10)"
        )

        assert query(NAMES) == [("10d-1",), ("1d1",), ("1d-1",)]

    @pytest.mark.parametrize(
        "statement",
        [
            "DELETE FROM audit_logs WHERE request_id = 'old'",
            "UPDATE audit_logs SET ip = 'x' WHERE request_id = 'old'",
        ],
    )
    def test_opens_no_way_for_what_comes_after_it(
        self, app: App, query: Query, statement: str
    ) -> None:
        """Not in the same transaction either, for a row that is old enough to go."""
        before = query(ROWS)
        with app.flask.app_context(), db.engine.connect() as connection:
            connection.execute(text("SELECT expire_audit_logs(1)"))
            connection.execute(text(ADD_OLD_ROW))
            with pytest.raises(DBAPIError) as caught:
                connection.execute(text(statement))

        assert sqlstate(caught.value) == NOT_ALLOWED
        assert query(ROWS) == before

    def test_a_refused_call_opens_none_either(self, app: App, query: Query) -> None:
        before = query(ROWS)
        with app.flask.app_context(), db.engine.connect() as connection:
            for statement in ("SELECT expire_audit_logs(0)", "DELETE FROM audit_logs"):
                with pytest.raises(DBAPIError), connection.begin_nested():
                    connection.execute(text(statement))
            connection.commit()

        assert query(ROWS) == before

    def test_two_at_once_remove_each_row_once(self, app: App, query: Query) -> None:
        expire = "SELECT expire_audit_logs(10)"

        assert meanwhile(query, app, expire, lambda: query(expire)) == [(0,)]
        assert len(query(NAMES)) == 3
