"""The steps of exchanging a secret: each refuses to come at the wrong time, and leaves whole files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import pytest
from click.testing import CliRunner, Result

from api.cli import main
from api.commands.rotate_secret import MINUTES
from api.config import Settings
from api.infra.db_password import Password
from api.infra.health import database_probe
from tests.docs.pages import ROOT, blocks

OLD = "a signing key for tests, 32 bytes or more"
Rotates = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "key").write_text(OLD)
    (tmp_path / "key").chmod(0o640)
    (tmp_path / "previous").write_text("")
    return tmp_path


@pytest.fixture
def rotate(folder: Path) -> Rotates:
    settings = {
        "JWT_SECRET_KEY_FILE": str(folder / "key"),
        "JWT_SECRET_KEY_PREVIOUS_FILE": str(folder / "previous"),
    }

    def run(*arguments: str, **changes: str) -> Result:
        return CliRunner(env=settings | changes).invoke(main, ["rotate-secret", *arguments])

    return run


def keys(folder: Path, environment: dict[str, str]) -> tuple[str, ...]:
    """As a process that starts now would know them."""
    files = {
        "JWT_SECRET_KEY_FILE": str(folder / "key"),
        "JWT_SECRET_KEY_PREVIOUS_FILE": str(folder / "previous"),
    }
    return Settings.from_env(environment | files).signing_keys


class TestKey:
    def test_in_three_steps(
        self, folder: Path, environment: dict[str, str], rotate: Rotates
    ) -> None:
        assert rotate("JWT_SECRET_KEY", "prepare").exit_code == 0
        first, second = keys(folder, environment)
        assert first == OLD != second

        assert f"{MINUTES} minutes" in rotate("JWT_SECRET_KEY", "switch").output
        assert keys(folder, environment) == (second, OLD)

        early = rotate("JWT_SECRET_KEY", "finish")
        assert early.exit_code == 1
        assert "more seconds" in early.output
        assert keys(folder, environment) == (second, OLD)

        long_ago = (folder / "key").stat().st_mtime - MINUTES * 60
        os.utime(folder / "key", (long_ago, long_ago))
        assert rotate("JWT_SECRET_KEY", "finish").exit_code == 0
        assert keys(folder, environment) == (second,)
        assert (folder / "key").stat().st_mode & 0o777 == 0o640
        assert sorted(file.name for file in folder.iterdir()) == ["key", "previous"]

    def test_after_a_leak_the_old_one_goes_at_once(
        self, folder: Path, environment: dict[str, str], rotate: Rotates
    ) -> None:
        for step in ("prepare", "switch"):
            rotate("JWT_SECRET_KEY", step)
        new, _ = keys(folder, environment)
        assert "--now" in rotate("JWT_SECRET_KEY", "finish").output

        assert rotate("JWT_SECRET_KEY", "finish", "--now").exit_code == 0
        assert keys(folder, environment) == (new,)

    @pytest.mark.parametrize("step", ["switch", "finish"])
    def test_no_step_comes_before_the_first(self, folder: Path, rotate: Rotates, step: str) -> None:
        refused = rotate("JWT_SECRET_KEY", step)

        assert refused.exit_code == 1
        assert "prepare comes first" in refused.output
        assert (folder / "key").read_text() == OLD

    def test_the_first_is_not_done_twice(self, folder: Path, rotate: Rotates) -> None:
        """The key that some hosts believe already would be lost."""
        rotate("JWT_SECRET_KEY", "prepare")
        before = (folder / "previous").read_text()

        assert rotate("JWT_SECRET_KEY", "prepare").exit_code == 1
        assert (folder / "previous").read_text() == before

    def test_a_file_for_the_second_key_is_made(self, folder: Path, rotate: Rotates) -> None:
        (folder / "previous").unlink()
        assert rotate("JWT_SECRET_KEY", "prepare").exit_code == 0
        assert (folder / "previous").stat().st_mode & 0o777 == 0o600

    def test_what_cannot_be_written_is_told(self, rotate: Rotates) -> None:
        refused = rotate(
            "JWT_SECRET_KEY", "prepare", JWT_SECRET_KEY_PREVIOUS_FILE="/proc/nowhere/key"
        )
        assert refused.exit_code == 1
        assert "cannot be written" in refused.output

    @pytest.mark.parametrize("step", ["prepare", "switch", "finish"])
    def test_without_files_it_tells_what_to_do(self, step: str) -> None:
        told = CliRunner(env={"JWT_SECRET_KEY": OLD, "JWT_SECRET_KEY_FILE": None}).invoke(
            main, ["rotate-secret", "JWT_SECRET_KEY", step]
        )
        assert told.exit_code == 0
        assert "JWT_SECRET_KEY_PREVIOUS" in told.output
        assert OLD not in told.output

    @pytest.mark.parametrize(
        "arguments",
        [
            ["JWT_SECRET_KEY"],
            ["JWT_SECRET_KEY", "switch", "--now"],
            ["DATABASE_URL", "switch"],
            ["DATABASE_URL", "--now"],
            ["REDIS_URL"],
            [],
        ],
    )
    def test_other_words_are_refused(self, rotate: Rotates, arguments: list[str]) -> None:
        assert rotate(*arguments).exit_code == 2


@pytest.fixture
def role(environment: dict[str, str], superuser: str, tmp_path: Path) -> Iterator[Path]:
    """A file with the URL of a role of its own."""
    with closing(psycopg2.connect(superuser)) as connection:
        connection.autocommit = True
        connection.cursor().execute("CREATE ROLE turning LOGIN PASSWORD 'old'")
        file = tmp_path / "url"
        parts = urlsplit(environment["DATABASE_URL"])
        file.write_text(
            parts._replace(netloc=f"turning:old@{parts.hostname}:{parts.port}").geturl()
        )
        yield file
        connection.cursor().execute("DROP ROLE turning")


@pytest.fixture
def superuser() -> Iterator[str]:
    from scripts import embedded

    with embedded.scratch_home() as home, embedded.servers(home, redis=False, fast=True) as found:
        assert found.postgres
        yield found.postgres.superuser_url


class TestDatabase:
    @pytest.fixture
    def environment(self, superuser: str) -> dict[str, str]:
        return {"DATABASE_URL": superuser}

    def rotate(self, role: Path) -> Result:
        return CliRunner(env={"DATABASE_URL_FILE": str(role)}).invoke(
            main, ["rotate-secret", "DATABASE_URL"]
        )

    def test_the_old_password_is_worth_nothing(self, role: Path) -> None:
        old = role.read_text()
        assert self.rotate(role).exit_code == 0

        psycopg2.connect(role.read_text().strip()).close()
        with pytest.raises(psycopg2.OperationalError):
            psycopg2.connect(old)
        assert not role.with_name("url.next").exists()

    def test_who_knows_the_old_one_finds_the_new_one(self, role: Path) -> None:
        probe = database_probe(role.read_text(), str(role))
        probe()
        self.rotate(role)
        probe()

    def test_who_has_no_file_fails_as_ever(self, role: Path) -> None:
        probe = database_probe(role.read_text())
        self.rotate(role)
        with pytest.raises(psycopg2.OperationalError, match="authentication"):
            probe()

    @pytest.mark.parametrize("altered", [True, False])
    def test_one_that_was_interrupted_is_finished(self, role: Path, *, altered: bool) -> None:
        coming = role.with_name("url.next")
        coming.write_text(role.read_text().replace(":old@", ":new@"))
        if altered:
            with closing(psycopg2.connect(role.read_text())) as connection, connection:
                connection.cursor().execute("ALTER ROLE turning PASSWORD 'new'")

        assert self.rotate(role).exit_code == 0
        assert ":new@" in role.read_text()
        psycopg2.connect(role.read_text().strip()).close()

    def test_a_database_that_is_gone_changes_nothing(self, tmp_path: Path) -> None:
        file = tmp_path / "url"
        file.write_text("postgresql://a:b@127.0.0.1:1/x")
        refused = self.rotate(file)

        assert refused.exit_code == 1
        assert "refuses" in refused.output
        assert file.read_text() == "postgresql://a:b@127.0.0.1:1/x"

    def test_in_the_environment_it_cannot_be_exchanged(self) -> None:
        refused = CliRunner(
            env={"DATABASE_URL": "postgresql://x", "DATABASE_URL_FILE": None}
        ).invoke(main, ["rotate-secret", "DATABASE_URL"])
        assert refused.exit_code == 1
        assert "DATABASE_URL_FILE" in refused.output


def test_a_second_role_acts_as_the_first(superuser: str) -> None:
    """As docs/operations.md makes it, for hosts that are replaced one after the other."""
    page = blocks(ROOT / "docs/operations.md")
    [made] = [text for language, text in page if language == "sql" and "madang_two" in text]
    with closing(psycopg2.connect(superuser)) as connection, connection:
        connection.cursor().execute(made)
    parts = urlsplit(superuser)
    second = parts._replace(netloc=f"madang_two:new@{parts.hostname}:{parts.port}").geturl()

    with closing(psycopg2.connect(second)) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT session_user, current_user")
        assert cursor.fetchone() == ("madang_two", "madang")


def test_another_fault_is_not_tried_again(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text("postgresql://a:c@x/x")
    tries = []

    def connect(password: str | None) -> None:
        tries.append(password)
        raise psycopg2.OperationalError("no route")

    with pytest.raises(psycopg2.OperationalError):
        Password("postgresql://a:b%40@x/x", str(file)).call(connect)
    assert tries == ["b@"]
