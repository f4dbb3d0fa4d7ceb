"""The command line, as an operator uses it: output, faults, exit codes."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from click.testing import CliRunner, Result
from sqlalchemy import text

from api.app import App
from api.cli import main
from api.commands.migrations import MIGRATIONS
from api.config import Settings
from api.infra import logging as our_logging
from api.infra.db import db
from tests.infra.link import closed_port
from tests.people import People
from tests.spec import CONTRACT

ROOT = Path(__file__).resolve().parents[1]
Query = Callable[..., list[tuple[object, ...]]]
Command = Callable[..., Result]
ADMIN = ("create-admin", "--email", "Boss@example.com", "--username", "boss", "--password-stdin")
USERS = "SELECT username, email, role FROM users ORDER BY username"


@pytest.fixture
def madang(environment: dict[str, str], clean: None) -> Iterator[Command]:
    def run(*arguments: str, stdin: str = "", **changes: str) -> Result:
        runner = CliRunner(env=environment | changes)
        return runner.invoke(main, arguments, input=stdin)

    yield run
    our_logging.configure(Settings.from_env(environment))


class TestCreateAdmin:
    def test_makes_an_administrator_that_can_log_in(self, madang: Command, query: Query) -> None:
        result = madang(*ADMIN, stdin="a password from a pipe\n")

        assert (result.exit_code, result.output) == (0, "boss is an administrator now.\n")
        assert query(USERS) == [("boss", "Boss@example.com", "admin")]
        assert query("SELECT action FROM audit_logs") == [("user_created",)]

    def test_names_every_fault_and_makes_nothing(self, madang: Command, query: Query) -> None:
        result = madang(
            "create-admin",
            "--email",
            "boss",
            "--username",
            "Bo ss",
            "--password-stdin",
            stdin="x\n",
        )

        assert result.exit_code == 1
        for field in ("email", "username", "password"):
            assert f"\n  {field}: " in result.output
        assert query(USERS) == []

    @pytest.mark.parametrize(
        ("stdin", "fault"),
        [("password123\n", "password: is too common"), ("", "password: ")],
    )
    def test_holds_the_password_to_the_rules_of_a_sign_up(
        self, madang: Command, query: Query, stdin: str, fault: str
    ) -> None:
        result = madang(*ADMIN, stdin=stdin)

        assert result.exit_code == 1
        assert fault in result.output
        assert query(USERS) == []

    def test_says_who_has_the_name(self, madang: Command, people: People) -> None:
        people("boss")

        result = madang(*ADMIN, stdin="a password from a pipe\n")

        assert result.exit_code == 1
        assert "taken" in result.output
        assert "Traceback" not in result.output

    def test_asks_for_the_password_twice(self, environment: dict[str, str], clean: None) -> None:
        arguments = [item for item in ADMIN if item != "--password-stdin"]

        same, other = (
            typed(environment, arguments, *lines)
            for lines in (("a password by hand",) * 2, ("a password by hand", "another"))
        )

        assert "boss is an administrator now." in same.output and same.exit_code == 0
        assert "The passwords differ." in other.output and other.exit_code == 1

    def test_needs_to_know_whom(self, madang: Command) -> None:
        assert madang("create-admin").exit_code == 2


class TestSeed:
    def test_a_second_time_changes_nothing(self, madang: Command, query: Query) -> None:
        def stored() -> list[list[tuple[object, ...]]]:
            return [query(f"SELECT * FROM {table} ORDER BY id") for table in ("users", "posts")]

        first = madang("seed")
        once = stored()
        second = madang("seed")

        assert first.exit_code == second.exit_code == 0
        assert first.output == second.output
        assert "demo@example.com" in first.output
        assert [len(rows) for rows in once] == [3, 5]
        assert stored() == once

    def test_is_refused_in_production(self, madang: Command, query: Query) -> None:
        strong = "qW3rT6yU9iOp2aSdFgHjKlZxCvBnM1!x"
        result = madang("seed", ENVIRONMENT="production", JWT_SECRET_KEY=strong)

        assert result.exit_code == 1
        assert "production" in result.output
        assert query(USERS) == []


class TestRoutes:
    def test_list_every_operation_with_its_role(self, madang: Command) -> None:
        lines = [line.split() for line in madang("routes").output.splitlines()]

        assert lines == [
            [op.method, op.path, op.policy.role, op.id] for op in CONTRACT.operations.values()
        ]


class TestDatabase:
    def test_there_is_nothing_to_migrate(self, madang: Command) -> None:
        """A known trap: ``flask db`` does not work on a Connexion app. The models equal the tables."""
        result = madang("db", "check")

        assert result.exit_code == 0, result.output

    def test_there_is_one_head_and_the_database_has_it(self, app: App, query: Query) -> None:
        [head] = ScriptDirectory(str(MIGRATIONS)).get_heads()

        assert query("SELECT version_num FROM alembic_version") == [(head,)]

    def test_migrations_go_down_and_up_again(self, madang: Command, app: App) -> None:
        with app.flask.app_context():
            before = schema()
            try:
                assert madang("db", "downgrade", "base").exit_code == 0
                assert schema() == []
            finally:
                assert madang("db", "upgrade").exit_code == 0
            assert schema() == before
            db.engine.dispose()


class TestFaults:
    def test_a_wrong_environment_is_told_whole_and_without_a_trace(self) -> None:
        result = CliRunner(env={"ENVIRONMENT": "x", "PORT": "y"}).invoke(main, ["routes"])

        assert result.exit_code == 1
        for name in ("ENVIRONMENT", "PORT", "DATABASE_URL", "JWT_SECRET_KEY"):
            assert name in result.output
        assert "Traceback" not in result.output

    def test_a_database_that_is_gone_is_said_to_be(self, madang: Command) -> None:
        result = madang(
            *ADMIN, stdin="a password\n", DATABASE_URL=f"postgresql://x@127.0.0.1:{closed_port()}/x"
        )

        assert result.exit_code == 1
        assert "The database cannot be reached." in result.output

    def test_the_commands_work_from_a_shell(self, environment: dict[str, str]) -> None:
        done = subprocess.run(
            [sys.executable, "-c", "from api.cli import main; main()", "routes"],
            env=environment | {"PATH": os.environ["PATH"]},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )

        assert "create_post" in done.stdout


def schema() -> list[tuple[object, ...]]:
    """Every column, index and constraint there is."""
    statement = """
        SELECT 'column', table_name || '.' || column_name, data_type || is_nullable
            || coalesce(column_default, '') FROM information_schema.columns
            WHERE table_schema = 'public' AND table_name <> 'alembic_version'
        UNION ALL SELECT 'index', indexname, indexdef FROM pg_indexes
            WHERE schemaname = 'public' AND tablename <> 'alembic_version'
        UNION ALL SELECT 'constraint', conname, pg_get_constraintdef(oid) FROM pg_constraint
            WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text <> 'alembic_version'
        ORDER BY 1, 2, 3
    """
    rows = [tuple(row) for row in db.session.execute(text(statement))]
    db.session.rollback()
    return rows


def typed(environment: dict[str, str], arguments: list[str], *lines: str) -> Result:
    """As by somebody at a terminal, which ``getpass`` does without here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the password is shown
        return CliRunner(env=environment).invoke(main, arguments, input="\n".join(lines) + "\n")
