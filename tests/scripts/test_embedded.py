"""The embedded servers come up again whatever ended them, and leave nothing behind."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from scripts import embedded
from scripts.embedded.place import account
from tests.scripts.checkout import processes_naming
from tests.waiting import until


@pytest.fixture
def home() -> Iterator[Path]:
    with embedded.scratch_home() as folder:
        yield folder


@pytest.fixture
def postgres(home: Path) -> Iterator[embedded.Postgres]:
    server = embedded.Postgres(home, fast=True)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def valkey(home: Path) -> Iterator[embedded.Valkey]:
    server = embedded.Valkey(home)
    server.start()
    yield server
    server.stop()


def ask(server: embedded.Postgres, statement: str) -> list[tuple[object, ...]]:
    connection = psycopg2.connect(server.url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(statement)
        rows = cursor.fetchall() if cursor.description else []
    connection.close()
    return rows


class TestPostgres:
    def test_its_role_owns_the_database_and_is_no_superuser(
        self, postgres: embedded.Postgres
    ) -> None:
        role = ask(postgres, "SELECT rolsuper, rolname FROM pg_roles WHERE rolname = current_user")
        assert role == [(False, "madang")]
        ask(postgres, "CREATE EXTENSION pg_trgm")

    def test_it_compares_text_as_utf8(self, postgres: embedded.Postgres) -> None:
        ask(postgres, "CREATE EXTENSION pg_trgm")
        assert ask(postgres, "SELECT lower('ÄÖ'), '서울에서' % '서울에'") == [("äö", True)]

    def test_nobody_gets_in_without_the_password(self, postgres: embedded.Postgres) -> None:
        for password in ("wrong", ""):
            address = f"postgresql://madang:{password}@127.0.0.1:{postgres.port}/madang"
            with pytest.raises(psycopg2.OperationalError, match="password"):
                psycopg2.connect(address)

    def test_after_a_kill_it_starts_again_with_what_was_written(
        self, postgres: embedded.Postgres
    ) -> None:
        ask(postgres, "CREATE TABLE kept AS SELECT 7 AS n")
        assert postgres.process is not None
        postgres.process.kill()
        postgres.process.wait()
        postgres.start()
        assert ask(postgres, "SELECT n FROM kept") == [(7,)]

    def test_a_frozen_one_can_be_stopped(self, postgres: embedded.Postgres) -> None:
        assert postgres.process is not None
        postgres.process.send_signal(signal.SIGSTOP)
        postgres.stop()
        assert processes_naming(str(postgres.data)) == []

    def test_one_left_running_on_the_data_is_ended_first(self, postgres: embedded.Postgres) -> None:
        second = embedded.Postgres(postgres.home, fast=True)
        second.start()
        try:
            assert postgres.process is not None
            until(lambda: postgres.process is not None and postgres.process.poll() is not None)
            assert ask(second, "SELECT 1") == [(1,)]
        finally:
            second.stop()

    def test_a_pid_that_now_belongs_to_another_is_left_alone(
        self, home: Path, postgres: embedded.Postgres
    ) -> None:
        postgres.stop()
        with subprocess.Popen(["sleep", "60"], **account()) as other:
            (postgres.data / "postmaster.pid").write_text(f"{other.pid}\n{postgres.data}\n")
            postgres.start()
            assert other.poll() is None
            other.kill()

    def test_an_interrupted_initdb_does_not_look_complete(self, home: Path) -> None:
        (home / "postgres.new").mkdir()
        (home / "postgres.new/PG_VERSION").write_text("18\n")
        with embedded.servers(home, redis=False, fast=True) as running:
            assert running.postgres is not None
            assert ask(running.postgres, "SELECT 1") == [(1,)]


class TestValkey:
    def test_it_wants_its_password_and_keeps_within_its_memory(
        self, valkey: embedded.Valkey
    ) -> None:
        retry = Retry(NoBackoff(), 0)
        with (
            redis.Redis(port=valkey.port, retry=retry) as stranger,
            pytest.raises(redis.AuthenticationError),
        ):
            stranger.ping()
        with redis.Redis.from_url(valkey.url, decode_responses=True) as client:
            assert client.config_get("maxmemory*")["maxmemory-policy"] == "allkeys-lru"
            assert client.config_get("maxmemory")["maxmemory"] == str(64 * 1024 * 1024)

    def test_after_a_kill_it_starts_again_at_the_same_address(
        self, valkey: embedded.Valkey
    ) -> None:
        before = valkey.url
        assert valkey.process is not None
        valkey.process.kill()
        valkey.process.wait()
        valkey.start()
        with redis.Redis.from_url(before) as client:
            assert client.ping()

    def test_its_password_stands_on_no_command_line(self, valkey: embedded.Valkey) -> None:
        password = urlsplit(valkey.url).password or ""
        assert len(password) == 48
        assert processes_naming(password) == []


def test_the_servers_leave_no_process(home: Path) -> None:
    with embedded.servers(home, fast=True) as running:
        assert running.database_url.startswith("postgresql://madang:")
        assert running.redis_url.startswith("redis://")
        assert processes_naming(str(home))
    assert processes_naming(str(home)) == []


def test_only_what_is_asked_for_is_started(home: Path) -> None:
    with embedded.servers(home, database=False) as running:
        assert running.postgres is None
        assert running.valkey is not None
    assert not (home / "postgres").exists()


def test_secrets_are_for_their_owner_alone(home: Path) -> None:
    with embedded.servers(home, fast=True):
        for name in ("database_password", "redis_password", "valkey.conf"):
            assert (home / name).stat().st_mode & 0o077 == 0
