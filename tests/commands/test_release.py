"""A release migrates and makes the first administrator, one host at a time."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import text

from api.app import App
from api.cli import main
from api.commands.release import LOCK
from api.infra.db import db
from tests.people import PASSWORD, People

ROOT = Path(__file__).resolve().parents[2]
Query = Callable[..., list[tuple[object, ...]]]
FIRST = {"ADMIN_EMAIL": "Jane.Doe@example.com", "ADMIN_PASSWORD": PASSWORD}
ADMINS = "SELECT email, username FROM users WHERE role = 'admin'"


def release(environment: dict[str, str], **changes: str) -> Result:
    return CliRunner(env=environment | changes).invoke(main, ["release"])


@pytest.mark.usefixtures("clean")
class TestRelease:
    def test_makes_the_first_administrator_once(
        self, environment: dict[str, str], query: Query
    ) -> None:
        first, second = (release(environment, **FIRST) for _ in range(2))

        assert (first.exit_code, second.exit_code) == (0, 0)
        assert first.output.splitlines() == [
            "The database is up to date.",
            "Made the first administrator: jane_doe_admin.",
        ]
        assert second.output.splitlines()[1] == "There is an administrator already."
        assert query(ADMINS) == [("Jane.Doe@example.com", "jane_doe_admin")]

    def test_makes_none_that_nobody_asked_for(
        self, environment: dict[str, str], query: Query
    ) -> None:
        result = release(environment)

        assert result.output == "The database is up to date.\n"
        assert query(ADMINS) == []

    def test_makes_none_beside_another(
        self, environment: dict[str, str], people: People, query: Query
    ) -> None:
        people("boss", role="admin")

        release(environment, **FIRST)

        assert query(ADMINS) == [("boss@example.com", "boss")]

    @pytest.mark.parametrize(
        ("changes", "fault"),
        [
            ({"ADMIN_PASSWORD": "short"}, "password: must have at least 8 characters"),
            ({"ADMIN_PASSWORD": "password123"}, "password: is too common"),
            ({"ADMIN_EMAIL": "nobody"}, "email: "),
        ],
    )
    def test_says_what_is_wrong_with_it(
        self, environment: dict[str, str], query: Query, changes: dict[str, str], fault: str
    ) -> None:
        result = release(environment, **(FIRST | changes))

        assert result.exit_code == 1
        assert fault in result.output
        assert query(ADMINS) == []

    @pytest.mark.parametrize("name", ["x" * 60, "a.b+c", "한.x", "A"])
    def test_any_address_gives_a_username_that_is_allowed(
        self, environment: dict[str, str], query: Query, name: str
    ) -> None:
        result = release(environment, **(FIRST | {"ADMIN_EMAIL": f"{name}@example.com"}))

        if name.isascii():
            assert (result.exit_code, len(query(ADMINS))) == (0, 1)
        else:
            assert (result.exit_code, "email: " in result.output) == (1, True)

    def test_builds_a_database_that_has_nothing(
        self, environment: dict[str, str], app: App, query: Query
    ) -> None:
        CliRunner(env=environment).invoke(main, ["db", "downgrade", "base"])
        with app.flask.app_context():
            db.engine.dispose()

        assert release(environment, **FIRST).exit_code == 0

        assert len(query(ADMINS)) == 1


@pytest.mark.usefixtures("clean")
class TestOtherSchemas:
    @pytest.fixture
    def at(self, query: Query) -> Iterator[Callable[[str], object]]:
        """The schema says that it is of another revision."""
        [[revision]] = query("SELECT version_num FROM alembic_version")
        yield lambda other: query("UPDATE alembic_version SET version_num = :other", other=other)
        query("UPDATE alembic_version SET version_num = :revision", revision=revision)

    def test_one_of_a_later_release_is_left_as_it_is(
        self, environment: dict[str, str], query: Query, at: Callable[[str], object]
    ) -> None:
        """So that the version before can be deployed again."""
        at("later")

        result = release(environment, **FIRST)

        assert result.exit_code == 0, result.output
        assert result.output.splitlines() == [
            "The schema (later) is newer than this version and is left as it is.",
            "Made the first administrator: jane_doe_admin.",
        ]
        assert query("SELECT version_num FROM alembic_version") == [("later",)]

    def test_a_migration_that_fails_fails_as_ever(
        self, environment: dict[str, str], query: Query, at: Callable[[str], object]
    ) -> None:
        """What the second one makes is there already."""
        at("0001")

        assert release(environment).exit_code == 1
        assert query("SELECT version_num FROM alembic_version") == [("0001",)]


@pytest.mark.usefixtures("clean")
def test_two_at_once_wait_for_each_other(
    environment: dict[str, str], app: App, query: Query
) -> None:
    """The lock is held from outside until both stand before it; then one makes the administrator."""
    with app.flask.app_context(), db.engine.connect() as holder:
        holder.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": LOCK})
        hosts = [host(environment) for _ in range(2)]
        end = time.monotonic() + 20
        while waiting(query) < 2:
            assert time.monotonic() < end
            assert all(process.poll() is None for process in hosts)
            time.sleep(0.02)
        holder.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": LOCK})
    outputs = sorted(process.communicate(timeout=20)[0].splitlines()[-1] for process in hosts)

    assert [process.returncode for process in hosts] == [0, 0]
    assert outputs == [
        "Made the first administrator: jane_doe_admin.",
        "There is an administrator already.",
    ]
    assert len(query(ADMINS)) == 1


def host(environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", "from api.cli import main; main()", "release"],
        env=environment | FIRST | {"PATH": os.environ["PATH"]},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def waiting(query: Query) -> int:
    [[number]] = query(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = :lock",
        lock=LOCK,
    )
    assert isinstance(number, int)
    return number
