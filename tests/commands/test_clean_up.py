"""What is over goes, what is not stays, whoever is at work meanwhile."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from click.testing import CliRunner
from sqlalchemy import text
from starlette.testclient import TestClient

from api.app import App
from api.cli import main
from api.commands import clean_up as command
from api.config import Settings
from api.infra.db import db
from tests.auth.flows import begin, code_of, go_on, log_in, me, refresh
from tests.people import People, Person

Query = Callable[..., list[tuple[object, ...]]]
Run = Callable[..., str]
OVER = {
    "ended": "ended_at = now(), end_reason = 'logout'",
    "idle": "refreshed_at = now() - interval '7 days'",
    "old": "created_at = now() - interval '30 days'",
}
"""How a session comes to be one that nothing can revive."""
ADD_AUDIT_ROW = """
    INSERT INTO audit_logs (id, action, ip, request_id, created_at)
    VALUES (gen_random_uuid(), 'user_created', 'local', :name, now() - make_interval(secs => :age))
"""
DAY = 86_400


@pytest.fixture
def run(environment: dict[str, str], clean: None) -> Run:
    def lines(**changes: str) -> str:
        settings = Settings.from_env(environment | changes)
        return "".join(f"{line}\n" for line in command.clean_up(settings))

    return lines


def said(
    sessions: int = 0, attempts: int = 0, answers: int = 0, audit_rows: int = 0, days: int = 365
) -> str:
    return (
        f"Sessions that were over: {sessions}\n"
        f"Counts of failed logins that were over: {attempts}\n"
        f"Answers kept for repeated requests: {answers}\n"
        f"Audit rows older than {days} days: {audit_rows}\n"
    )


def test_it_is_a_command(environment: dict[str, str], ada: Person, query: Query) -> None:
    query("UPDATE sessions SET ended_at = now(), end_reason = 'logout'")

    result = CliRunner(env=environment).invoke(main, ["clean-up"])

    assert (result.exit_code, result.output) == (0, said(sessions=1))


def test_answers_go_after_a_day(run: Run, query: Query) -> None:
    for number, age in enumerate((DAY + 1, DAY - 60)):
        query(
            "INSERT INTO idempotency_keys (user_id, key, request_hash, created_at)"
            " VALUES (gen_random_uuid(), :key, :hash, now() - make_interval(secs => :age))",
            key=str(number),
            hash=bytes(32),
            age=age,
        )

    assert run() == said(answers=1)
    assert query("SELECT key FROM idempotency_keys") == [("1",)]


class TestSessions:
    def test_those_go_that_nothing_can_revive(self, run: Run, people: People, query: Query) -> None:
        alive = people("alive")
        for name, change in OVER.items():
            query(f"UPDATE sessions SET {change} WHERE id = :id", id=people(name).session_id)

        assert run() == said(sessions=3)
        assert query("SELECT id FROM sessions") == [(alive.session_id,)]
        assert query("SELECT count(*) FROM users") == [(4,)]

    def test_their_refresh_tokens_go_along(
        self, run: Run, client: TestClient, ada: Person, query: Query
    ) -> None:
        over, alive = begin(client, ada.email), begin(client, ada.email)
        go_on(client, over.refresh)
        query(
            "UPDATE sessions SET ended_at = now(), end_reason = 'logout' WHERE refresh_sequence = 2"
        )

        run()

        assert query("SELECT count(*) FROM refresh_tokens") == [(1,)]
        assert me(client, alive.access).status_code == 200
        assert refresh(client, over.refresh).status_code == 401
        assert refresh(client, alive.refresh).status_code == 200

    def test_one_that_is_about_to_end_stays(self, run: Run, ada: Person, query: Query) -> None:
        nearly = "refreshed_at = now() - interval '7 days' + interval '1 minute'"
        query(f"UPDATE sessions SET {nearly}, created_at = now() - interval '29 days 23 hours'")

        assert run() == said()


class TestFailedLogins:
    def test_only_windows_that_are_over_go(
        self, run: Run, client: TestClient, ada: Person, query: Query
    ) -> None:
        for _ in range(5):
            log_in(client, ada.email, "not her password")
        query(
            "INSERT INTO login_failures SELECT sha256(n::text::bytea), 1, now() - interval '15 minutes'"
            " FROM generate_series(1, 30) n"
        )

        assert run() == said(attempts=30)
        locked = log_in(client, ada.email)
        assert (locked.status_code, code_of(locked)) == (429, "RATE_LIMITED")


class TestAuditRows:
    def test_go_when_they_are_older_than_the_setting_says(self, run: Run, query: Query) -> None:
        for name, age in {"kept": 30 * DAY - 60, "gone": 30 * DAY + 60}.items():
            query(ADD_AUDIT_ROW, name=name, age=age)

        assert run() == said()
        assert run(AUDIT_RETENTION_DAYS="30") == said(audit_rows=1, days=30)
        assert query("SELECT request_id FROM audit_logs") == [("kept",)]

    def test_a_release_leaves_them(
        self, environment: dict[str, str], query: Query, clean: None
    ) -> None:
        query(ADD_AUDIT_ROW, name="old", age=1_000 * DAY)

        result = CliRunner(env=environment).invoke(main, ["release"])

        assert (result.exit_code, query("SELECT count(*) FROM audit_logs")) == (0, [(1,)])


class TestAnyTime:
    def test_a_second_time_finds_nothing(self, run: Run, ada: Person, query: Query) -> None:
        query("UPDATE sessions SET ended_at = now(), end_reason = 'logout'")
        query(ADD_AUDIT_ROW, name="old", age=366 * DAY)

        assert [run() for _ in range(2)] == [said(sessions=1, audit_rows=1), said()]

    def test_more_than_a_batch_goes_in_several(
        self, run: Run, ada: Person, query: Query, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        query(
            "INSERT INTO sessions (id, user_id, ended_at, end_reason)"
            " SELECT gen_random_uuid(), :id, now(), 'logout' FROM generate_series(1, 12)",
            id=ada.id,
        )
        monkeypatch.setattr(command, "BATCH", 4)

        assert run() == said(sessions=12)

    def test_nobody_is_waited_for(self, run: Run, app: App, people: People, query: Query) -> None:
        """What a request holds just now stays until the next time."""
        held, _ = people("held"), people("free")
        query("UPDATE sessions SET ended_at = now(), end_reason = 'logout'")
        with app.flask.app_context(), db.engine.connect() as other:
            lock = text("SELECT 1 FROM sessions WHERE id = :id FOR UPDATE")
            other.execute(lock, {"id": held.session_id})
            assert run() == said(sessions=1)
            assert query("SELECT id FROM sessions") == [(held.session_id,)]

        assert run() == said(sessions=1)

    def test_a_database_that_is_slow_gets_its_time(
        self, run: Run, app: App, ada: Person, query: Query
    ) -> None:
        """Requests have three seconds for a statement; this has no limit, whatever the role's is."""
        query(
            "CREATE FUNCTION say_limit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " IF current_setting('statement_timeout') <> '0' THEN RAISE EXCEPTION 'limited'; END IF;"
            " RETURN OLD; END $$;"
            "CREATE TRIGGER say_limit BEFORE DELETE ON sessions FOR EACH ROW EXECUTE FUNCTION say_limit()"
        )
        query("UPDATE sessions SET ended_at = now(), end_reason = 'logout'")
        try:
            assert run() == said(sessions=1)
        finally:
            query("DROP TRIGGER say_limit ON sessions; DROP FUNCTION say_limit()")
