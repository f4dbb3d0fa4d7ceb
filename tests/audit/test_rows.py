"""Each act of interest leaves its row, together with the act or not at all, and without a secret."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest
from starlette.testclient import TestClient

from tests.audit.tour import SILENT, TOUR, WRONG, Cast, Row, assemble
from tests.auth.flows import begin, code_of, go_on, log_out, me
from tests.people import PASSWORD, People

Query = Callable[..., list[tuple[object, ...]]]

COLUMNS = "action, actor_id::text, target_type, target_id::text, ip, details"
OF_REQUEST = f"SELECT {COLUMNS} FROM audit_logs WHERE request_id = :request_id ORDER BY id"
EVERYTHING = """
    SELECT 'user' || u FROM users u UNION ALL SELECT 'post' || p FROM posts p
    UNION ALL SELECT 'comment' || c FROM comments c UNION ALL SELECT 'session' || s FROM sessions s
    UNION ALL SELECT 'token' || t FROM refresh_tokens t UNION ALL SELECT 'log' || l FROM audit_logs l
    UNION ALL SELECT 'failure' || f FROM login_failures f
    UNION ALL SELECT 'total' || sum(published) FROM post_totals ORDER BY 1
"""
REFUSALS = {"insufficient_privilege": (503, "DB_READ_ONLY"), "disk_full": (503, "DB_READ_ONLY")}
ONE_REQUEST = sorted(
    TOUR.keys() - {"unblocks", "uses a token again", "logs in after failures", "logs out"}
)
"""What needs nothing before it that would leave a row itself."""


@pytest.fixture
def cast(client: TestClient, people: People) -> Cast:
    return assemble(client, people)


@contextmanager
def unwritable(query: Query, condition: str) -> Iterator[None]:
    """Every INSERT into the audit log fails in this way."""
    query(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN RAISE {condition}; END $$;"
        "CREATE TRIGGER refuse BEFORE INSERT ON audit_logs FOR EACH ROW EXECUTE FUNCTION refuse()"
    )
    try:
        yield
    finally:
        query("DROP TRIGGER refuse ON audit_logs; DROP FUNCTION refuse()")


def expected(row: Row, cast: Cast, answer: httpx.Response) -> tuple[object, ...]:
    kind, name = row.target or (None, None)
    target = answer.json()["data"]["id"] if name == "new" else cast.id_of(name)
    return row.action, cast.id_of(row.actor), kind, target, "testclient", row.details


@pytest.mark.parametrize(("step", "rows"), TOUR.values(), ids=TOUR)
def test_an_act_leaves_its_row(
    cast: Cast, query: Query, step: Callable[[Cast], httpx.Response], rows: list[Row]
) -> None:
    answer = step(cast)

    found = query(OF_REQUEST, request_id=answer.headers["X-Request-ID"])
    assert found == [expected(row, cast, answer) for row in rows]


@pytest.mark.parametrize("step", SILENT.values(), ids=SILENT)
def test_what_is_nobody_elses_business_leaves_none(
    cast: Cast, query: Query, step: Callable[[Cast], httpx.Response]
) -> None:
    step(cast)

    assert query("SELECT action FROM audit_logs") == []


class TestOneTransaction:
    @pytest.mark.parametrize("condition", REFUSALS)
    @pytest.mark.parametrize("name", ONE_REQUEST)
    def test_without_the_row_there_is_no_act(
        self, cast: Cast, query: Query, name: str, condition: str
    ) -> None:
        step, _ = TOUR[name]
        before = query(EVERYTHING)

        with unwritable(query, condition):
            answer = step(cast)

        assert (answer.status_code, code_of(answer)) == REFUSALS[condition]
        assert query(EVERYTHING) == before

    def test_a_session_goes_on_that_could_not_be_ended(self, cast: Cast, query: Query) -> None:
        login = begin(cast.client, cast.ada.email)

        with unwritable(query, "disk_full"):
            answer = log_out(cast.client, login.refresh)

        assert answer.status_code == 503
        assert me(cast.client, go_on(cast.client, login.refresh).access).status_code == 200

    def test_nobody_is_told_of_what_did_not_happen(self, cast: Cast, query: Query) -> None:
        """A block that was rolled back leaves the person's sessions as they were, everywhere."""
        login = begin(cast.client, cast.ada.email)

        with unwritable(query, "disk_full"):
            TOUR["blocks"][0](cast)

        assert me(cast.client, cast.ada.token).status_code == 200
        assert me(cast.client, go_on(cast.client, login.refresh).access).status_code == 200


def test_no_row_holds_a_secret(cast: Cast, query: Query) -> None:
    """L1"""
    login = begin(cast.client, cast.bob.email)
    tokens = {login.access, login.refresh, go_on(cast.client, login.refresh).refresh}
    for name in sorted(TOUR, key=lambda name: name.startswith("deletes")):
        TOUR[name][0](cast)
        query("DELETE FROM login_failures; UPDATE users SET status = 'active'")

    rows = "\n".join(str(row) for [row] in query("SELECT audit_logs::text FROM audit_logs"))
    actions = {action for [action] in query("SELECT action FROM audit_logs")}

    assert actions == {row.action for _, rows in TOUR.values() for row in rows}
    assert str(cast.ada.id) in rows
    secrets = tokens | {cast.ada.token, cast.boss.token, PASSWORD, WRONG, "example.com", "$argon2"}
    assert [secret for secret in secrets if secret in rows] == []
