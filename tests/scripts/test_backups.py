"""A backup is whole or it is none, and what comes back is compared with what was taken."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from urllib.parse import urlsplit

import psycopg2
import pytest
from starlette.testclient import TestClient

from api.app import App
from scripts import embedded
from scripts.backups import dump, fingerprint, programs, restore, store
from scripts.home import ROOT, Refused
from tests.infra.outages import Query
from tests.people import Person
from tests.waiting import until

DAY = 86_400
Makes = Callable[[str], str]
SLOW_TO_VACUUM = """
CREATE TABLE much (n int) WITH (
    autovacuum_vacuum_threshold = 1, autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1);
INSERT INTO much SELECT generate_series(1, 100000); DELETE FROM much
"""


@pytest.fixture
def url(environment: dict[str, str], app: App) -> str:
    return environment["DATABASE_URL"]


@pytest.fixture
def make_database(url: str) -> Iterator[Makes]:
    """An empty database on the same server, by name; its URL."""
    made = []
    with closing(psycopg2.connect(url)) as server:
        server.autocommit = True

        def make(name: str) -> str:
            server.cursor().execute(f"CREATE DATABASE {name} TEMPLATE template0")
            made.append(name)
            return urlsplit(url)._replace(path=f"/{name}").geturl()

        yield make
        for name in made:
            restore.drop(server.cursor(), name)


@pytest.fixture
def posts(client: TestClient, ada: Person) -> None:
    for number in range(5):
        body = {"title": f"글 {number}", "body": "마당\n\\N\t'", "is_published": True}
        assert client.post("/api/v1/posts", json=body, headers=ada.auth).status_code == 201


@pytest.fixture
def backup(url: str, posts: None, tmp_path: Path) -> Path:
    return dump.back_up(url, tmp_path)


def fingerprint_of(url: str) -> fingerprint.Fingerprint:
    with closing(psycopg2.connect(url)) as connection:
        return fingerprint.take(connection)


def run(url: str, statement: str) -> None:
    with closing(psycopg2.connect(url)) as connection, connection:
        connection.cursor().execute(statement)


class TestBackUp:
    def test_all_of_it_comes_back(self, backup: Path, url: str, make_database: Makes) -> None:
        target = make_database("backup_target")

        done = restore.restore(backup, target, replace=False)

        found = fingerprint_of(target)
        assert found == fingerprint_of(url) == done.manifest.tables
        assert found["posts"]["rows"] == 5
        assert found["users"]["rows"] == 1

    def test_the_service_runs_on_what_came_back(
        self, backup: Path, environment: dict[str, str], make_database: Makes
    ) -> None:
        """Constraints, triggers and indexes too: to a migration nothing is left to do."""
        target = make_database("backup_target")
        restore.restore(backup, target, replace=False)
        code = "from api.cli import main; main(['release'])"
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, **environment, "DATABASE_URL": target},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        with pytest.raises(psycopg2.Error, match="audit"):
            run(target, "INSERT INTO audit_logs SELECT * FROM audit_logs; TRUNCATE audit_logs")

    def test_it_is_of_one_moment(
        self, url: str, posts: None, query: Query, tmp_path: Path, make_database: Makes
    ) -> None:
        """Although people write all the while."""
        enough = Event()

        def write() -> None:
            with closing(psycopg2.connect(url)) as connection:
                while not enough.is_set():
                    connection.cursor().execute(
                        "UPDATE posts SET title = title || 'x' WHERE length(title) < 190"
                    )
                    connection.cursor().execute("UPDATE users SET bio = left(bio || 'x', 400)")
                    connection.commit()

        writer = Thread(target=write)
        writer.start()
        try:
            backups = [dump.back_up(url, tmp_path / str(n)) for n in range(3)]
        finally:
            enough.set()
            writer.join()
        for each in backups:
            restore.restore(each, make_database(f"moment_{each.parent.name}"), replace=False)

    def test_nobody_else_may_read_it(self, backup: Path) -> None:
        assert backup.stat().st_mode & 0o077 == 0

    def test_no_password_stands_on_a_command_line(self, url: str) -> None:
        bare, password = programs.without_password(
            "postgres://ada:p%40ss@db.example.com:5433/x?sslmode=require"
        )

        assert bare == "postgresql://ada@db.example.com:5433/x?sslmode=require"
        assert password == "p@ss"

    def test_of_another_database_there_is_none(self, make_database: Makes, tmp_path: Path) -> None:
        with pytest.raises(Refused, match="not of Madang"):
            dump.back_up(make_database("not_ours"), tmp_path)
        assert not list(tmp_path.iterdir())

    def test_a_program_that_is_too_old_is_named(self) -> None:
        with pytest.raises(Refused, match="pg_dump of PostgreSQL 99 or later is needed"):
            programs.find("pg_dump", 99)


class TestDamage:
    @pytest.mark.parametrize("place", [0, 20, 0.3, 0.6, -1])
    def test_a_flipped_bit_is_refused(
        self, backup: Path, place: float, make_database: Makes
    ) -> None:
        data = bytearray(backup.read_bytes())
        at = place if isinstance(place, int) else int(place * len(data))
        data[at] ^= 1
        backup.write_bytes(data)
        target = make_database("backup_target")

        with pytest.raises(Refused, match="damaged"):
            restore.restore(backup, target, replace=True)
        assert fingerprint_of(target) == {}

    def test_a_lost_end_is_refused(self, backup: Path) -> None:
        os.truncate(backup, backup.stat().st_size - 1)
        with pytest.raises(Refused, match="damaged"):
            dump.verified(backup)

    @pytest.mark.parametrize("text", [None, "", "{}", '{"bytes": 1}', "[]"])
    def test_without_its_manifest_it_is_not_trusted(self, backup: Path, text: str | None) -> None:
        if text is None:
            dump.beside(backup).unlink()
        else:
            dump.beside(backup).write_text(text)
        with pytest.raises(Refused, match="cannot be trusted"):
            dump.verified(backup)

    def test_rows_that_are_not_those_of_the_manifest_are_told(
        self, backup: Path, make_database: Makes
    ) -> None:
        manifest = json.loads(dump.beside(backup).read_text())
        manifest["tables"]["posts"]["rows"] += 1
        dump.beside(backup).write_text(json.dumps(manifest))

        with pytest.raises(Refused, match="posts differs: 6 rows expected, 5 found"):
            restore.restore(backup, make_database("backup_target"), replace=False)

    def test_what_cannot_be_read_to_its_end_changes_nothing(
        self, backup: Path, make_database: Makes
    ) -> None:
        """Also when it is what was written: half of it went through before that was found."""
        target = make_database("backup_target")
        restore.restore(backup, target, replace=False)
        before = fingerprint_of(target)
        os.truncate(backup, int(backup.stat().st_size * 0.45))
        manifest = json.loads(dump.beside(backup).read_text())
        manifest["bytes"] = backup.stat().st_size
        manifest["sha256"] = hashlib.sha256(backup.read_bytes()).hexdigest()
        dump.beside(backup).write_text(json.dumps(manifest))

        with pytest.raises(Refused, match="pg_restore failed"):
            restore.restore(backup, target, replace=True)
        assert fingerprint_of(target) == before


class TestRestore:
    def test_what_is_there_already_stays(self, backup: Path, make_database: Makes) -> None:
        target = make_database("backup_target")
        restore.restore(backup, target, replace=False)
        before = fingerprint_of(target)

        with pytest.raises(Refused, match="not empty"):
            restore.restore(backup, target, replace=False)
        assert fingerprint_of(target) == before

    def test_replacing_throws_away_what_came_since(
        self, backup: Path, make_database: Makes
    ) -> None:
        """Tables of a later release too, which the backup knows nothing of."""
        target = make_database("backup_target")
        restore.restore(backup, target, replace=False)
        run(target, "DELETE FROM posts; CREATE TABLE later (post uuid REFERENCES posts)")

        done = restore.restore(backup, target, replace=True)

        assert fingerprint_of(target) == done.manifest.tables

    def test_a_drill_leaves_the_live_database_and_nothing_else(
        self, backup: Path, url: str, query: Query
    ) -> None:
        query("DELETE FROM posts WHERE title = '글 1'")
        live = fingerprint_of(url)
        databases = query("SELECT datname FROM pg_database ORDER BY 1")

        done, since = restore.drill(backup, url)

        assert done.manifest.tables["posts"]["rows"] == 5
        assert "posts: 5 rows in the backup, 4 now" in since
        assert fingerprint_of(url) == live
        assert query("SELECT datname FROM pg_database ORDER BY 1") == databases


class TestOtherConnections:
    """To the database of a drill, when it ends."""

    @pytest.fixture
    def server(self) -> Iterator[embedded.Postgres]:
        with embedded.scratch_home() as home:
            server = embedded.Postgres(home, fast=True)
            server.start()
            yield server
            server.stop()

    def test_autovacuum_keeps_none_from_ending(self, server: embedded.Postgres) -> None:
        """Its worker is none that a role without further rights may signal."""
        with closing(psycopg2.connect(server.superuser_url)) as connection:
            connection.autocommit = True
            connection.cursor().execute("ALTER SYSTEM SET autovacuum_naptime = 1")
            connection.cursor().execute("SELECT pg_reload_conf()")
        with closing(psycopg2.connect(server.url)) as owner:
            owner.autocommit = True
            cursor = owner.cursor()
            cursor.execute("CREATE DATABASE beside")
            with closing(psycopg2.connect(_named(server.url, "beside"))) as left:
                left.cursor().execute(SLOW_TO_VACUUM)
                left.commit()
                until(lambda: _is_vacuumed(cursor, "beside"))
                restore.drop(cursor, "beside")
            assert not _is_vacuumed(cursor, "beside")

    def test_a_superuser_ends_those_of_others(self, server: embedded.Postgres) -> None:
        with closing(psycopg2.connect(server.superuser_url)) as connection:
            connection.autocommit = True
            connection.cursor().execute("CREATE DATABASE beside")
            with closing(psycopg2.connect(_named(server.url, "beside"))):
                restore.drop(connection.cursor(), "beside")

    def test_who_may_not_end_them_is_told_what_is_left(self, server: embedded.Postgres) -> None:
        with (
            pytest.raises(Refused, match=r"Drop the database madang_drill_.+ other users"),
            restore.scratch_database(server.url) as url,
        ):
            name = urlsplit(url).path.removeprefix("/")
            left = psycopg2.connect(_named(server.superuser_url, name))
        left.close()


def _named(url: str, database: str) -> str:
    return urlsplit(url)._replace(path=f"/{database}").geturl()


def _is_vacuumed(cursor: psycopg2.extensions.cursor, name: str) -> bool:
    """Who is no superuser sees of a worker only that it is there."""
    cursor.execute("SELECT 1 FROM pg_stat_activity WHERE datname = %s AND usename IS NULL", (name,))
    return bool(cursor.fetchall())


class TestRetention:
    def old(self, folder: Path, days: int) -> Path:
        file = folder / f"madang-2026010{days % 10}T000000Z.dump"
        file.touch()
        dump.beside(file).touch()
        at = file.stat().st_mtime - days * DAY
        os.utime(file, (at, at))
        return file

    def test_what_is_older_goes_with_its_manifest(self, tmp_path: Path) -> None:
        kept, gone, newest = (self.old(tmp_path, days) for days in (2, 5, 8))
        os.utime(newest)

        assert dump.forget_old(tmp_path, days=3) == [gone]
        assert sorted(tmp_path.glob("*.dump")) == sorted([kept, newest])
        assert len(list(tmp_path.iterdir())) == 4

    def test_the_newest_stays_however_old(self, tmp_path: Path) -> None:
        only = self.old(tmp_path, 9)
        assert dump.forget_old(tmp_path, days=1) == []
        assert dump.newest(tmp_path) == only

    def test_none_is_told(self, tmp_path: Path) -> None:
        assert dump.forget_old(tmp_path, days=1) == []
        with pytest.raises(Refused, match="no backup"):
            dump.newest(tmp_path)


class TestCommands:
    def command(
        self, name: str, *arguments: str | Path, **settings: str
    ) -> subprocess.CompletedProcess[str]:
        """Behind the script, which only prepares the environment."""
        line = [sys.executable, "-m", "scripts.backups", name, *arguments]
        environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **settings}
        return subprocess.run(
            line, env=environment, cwd=ROOT, capture_output=True, text=True, check=False
        )

    def test_back_up_and_drill(self, url: str, posts: None, tmp_path: Path) -> None:
        settings = {"DATABASE_URL": url, "BACKUP_DIR": str(tmp_path / "backups")}
        made = self.command("backup", **settings)
        assert made.returncode == 0, made.stderr
        assert "MB" in made.stdout

        drilled = self.command("restore", "--drill", **settings)

        assert drilled.returncode == 0, drilled.stderr
        assert "restored and equal" in drilled.stdout
        assert "posts: 5 rows in the backup, 5 now" in drilled.stdout

    def test_restore_into_a_file_s_database(
        self, backup: Path, make_database: Makes, tmp_path: Path
    ) -> None:
        """The URL from a file, as in a container."""
        (tmp_path / "url").write_text(make_database("backup_target") + "\n")
        settings = {"DATABASE_URL_FILE": str(tmp_path / "url")}

        assert self.command("restore", backup, **settings).returncode == 0
        again = self.command("restore", backup, **settings)
        assert again.returncode == 1
        assert "--replace" in again.stderr

    def test_a_name_is_looked_for_in_the_folder_too(
        self, backup: Path, make_database: Makes
    ) -> None:
        """Before the store is asked, which there is none of here. The schema may be older than the code."""
        settings = {
            "DATABASE_URL": make_database("backup_target"),
            "BACKUP_DIR": str(backup.parent),
        }
        settings |= {f"AWS_{name}": "x" for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY")}
        settings["BACKUP_S3_URL"] = "http://127.0.0.1:1/bucket"

        done = self.command("restore", backup.name, **settings)

        assert done.returncode == 0, done.stderr
        revision = dump.verified(backup).revision
        assert f"revision {revision}: `madang release` brings it" in done.stdout

    @pytest.mark.parametrize(
        ("arguments", "settings", "said"),
        [
            (["backup"], {}, "DATABASE_URL must be"),
            (["backup"], {"DATABASE_URL_FILE": "/nowhere"}, "DATABASE_URL_FILE cannot be read"),
            (["backup"], {"DATABASE_URL": "postgresql://x@127.0.0.1:1/x"}, "cannot be reached"),
            (["restore"], {}, "FILE is missing"),
            (["restore", "--drill", "--folder", "/nowhere"], {}, "no backup in /nowhere"),
            (["restore", "/nowhere"], {"DATABASE_URL": "postgresql://x"}, "cannot be trusted"),
            (
                ["backup"],
                {"DATABASE_URL": "postgresql://x", "BACKUP_S3_URL": "https://x"},
                "not told in full",
            ),
        ],
    )
    def test_a_mistake_is_one_clear_line(
        self, arguments: list[str], settings: dict[str, str], said: str, tmp_path: Path
    ) -> None:
        done = self.command(*arguments, **{"BACKUP_DIR": str(tmp_path), **settings})

        assert done.returncode != 0
        assert said in done.stderr
        assert "Traceback" not in done.stderr


class TestStore:
    KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}

    def test_none_is_asked_for(self) -> None:
        assert store.from_env({}) is None
        assert store.from_env({"BACKUP_S3_URL": ""}) is None

    @pytest.mark.parametrize(
        "env",
        [
            {"BACKUP_S3_URL": "https://s3.example.com/b"},
            {"BACKUP_S3_URL": "s3://bucket", **KEYS},
            {
                "BACKUP_S3_URL": "https://x/b",
                **KEYS,
                "AWS_SECRET_ACCESS_KEY": 'a"\nurl = "file:///etc"',
            },
        ],
    )
    def test_half_of_it_is_refused(self, env: dict[str, str]) -> None:
        with pytest.raises(Refused):
            store.from_env(env)

    def test_a_copy_goes_there_signed_and_comes_back(self, tmp_path: Path) -> None:
        """To something that keeps what it is sent and does not compute the signature again."""
        with bucket() as (url, kept):
            place = store.Store(f"{url}/folder", "key", "a secret", "eu-central-1")
            (tmp_path / "a b.dump").write_bytes(b"x" * 300_000)

            place.put(tmp_path / "a b.dump")
            place.get("a b.dump", tmp_path / "back")

            assert kept.keys() == {"/bucket/folder/a%20b.dump"}
            assert (tmp_path / "back").read_bytes() == b"x" * 300_000
            with pytest.raises(Refused, match="404"):
                place.get("another", tmp_path / "none")
            assert sorted(file.name for file in tmp_path.iterdir()) == ["a b.dump", "back"]


@contextmanager
def bucket() -> Iterator[tuple[str, dict[str, bytes]]]:
    kept: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            signature = self.headers["Authorization"]
            assert signature.startswith("AWS4-HMAC-SHA256 Credential=key/")
            assert "/eu-central-1/s3/aws4_request" in signature
            kept[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
            self._say(200, b"")

        def do_GET(self) -> None:
            found = kept.get(self.path)
            self._say(404 if found is None else 200, found or b"")

        def _say(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/bucket", kept
        finally:
            server.shutdown()
            thread.join()
