"""O6: the server is lost, and comes back as it was at a moment."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg2
import pytest

from scripts import embedded
from scripts.backups import pitr
from scripts.embedded.place import own
from scripts.home import Refused
from tests.faults.conftest import kill
from tests.size import note
from tests.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.no_cover]  # what is tested are other processes


@pytest.fixture
def home() -> Iterator[Path]:
    with embedded.scratch_home() as folder:
        yield folder


@pytest.fixture
def archive(home: Path) -> Path:
    folder = home / "wal"
    folder.mkdir(mode=0o700)
    own(folder)
    return folder


@pytest.fixture
def server(home: Path, archive: Path) -> Iterator[embedded.Postgres]:
    """One that archives, with a table to which somebody adds the time."""
    server = embedded.Postgres(home)
    server.start()
    with ExitStack() as stack:
        stack.callback(server.stop)
        for setting in (
            "archive_mode = on",
            f"archive_command = 'test ! -f {archive}/%f && cp %p {archive}/%f.new && mv {archive}/%f.new {archive}/%f'",
            "wal_level = replica",
        ):
            run(server, f"ALTER SYSTEM SET {setting.replace(' = ', ' = ', 1)}")
        server.stop()
        server.start()
        run(server, "CREATE TABLE moments (at timestamptz PRIMARY KEY DEFAULT clock_timestamp())")
        yield server


def run(server: embedded.Postgres, statement: str) -> None:
    with closing(psycopg2.connect(server.superuser_url)) as connection:
        connection.autocommit = True
        connection.cursor().execute(statement)


def moments(server: embedded.Postgres) -> list[datetime]:
    with closing(psycopg2.connect(server.superuser_url)) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT at FROM moments ORDER BY at")
        return [at for (at,) in cursor.fetchall()]


def add(server: embedded.Postgres, seconds: float) -> None:
    end = time.monotonic() + seconds
    with closing(psycopg2.connect(server.superuser_url)) as connection:
        connection.autocommit = True
        while time.monotonic() < end:
            connection.cursor().execute("INSERT INTO moments DEFAULT VALUES")
            time.sleep(0.02)


def switch(server: embedded.Postgres) -> str:
    """The segment of the log that ends here."""
    with closing(psycopg2.connect(server.superuser_url)) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT pg_walfile_name(pg_switch_wal())")
        [name] = cursor.fetchone() or [""]
        return str(name)


def test_back_to_a_moment(server: embedded.Postgres, archive: Path) -> None:
    add(server, 0.5)
    base = pitr.base_backup(server.superuser_url, server.home / "bases")
    add(server, 2)
    wanted = datetime.now(UTC)
    add(server, 2)
    written = moments(server)
    until((archive / switch(server)).exists)
    kill(server)
    shutil.rmtree(server.data)

    began = time.monotonic()
    with embedded.scratch_home() as elsewhere:
        shutil.copy(server.home / "database_password", elsewhere / "database_password")
        pitr.prepare(base, archive, wanted, elsewhere / "postgres")
        for path in [elsewhere / "postgres", *(elsewhere / "postgres").rglob("*")]:
            own(path)
        other = embedded.Postgres(elsewhere)
        try:
            other.start()
            until(lambda: not _recovers(other))
            found = moments(other)
            run(other, "INSERT INTO moments DEFAULT VALUES")
        finally:
            other.stop()

    took = time.monotonic() - began
    assert found == [at for at in written if at <= found[-1]]
    assert found[-1] <= wanted < written[len(found)]
    off = wanted - found[-1]
    note(
        "Back to a moment",
        f"{off.total_seconds() * 1000:.0f} ms before the wanted one, in {took:.1f} s",
    )
    assert off < timedelta(seconds=1)


def _recovers(server: embedded.Postgres) -> bool:
    with closing(psycopg2.connect(server.superuser_url)) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT pg_is_in_recovery()")
        return cursor.fetchone() == (True,)


def test_a_flipped_bit_is_refused(server: embedded.Postgres, archive: Path) -> None:
    base = pitr.base_backup(server.superuser_url, server.home / "bases")
    add(server, 0.1)
    until((archive / switch(server)).exists)
    largest = max((base / "base").rglob("*"), key=lambda path: path.stat().st_size)
    data = bytearray(largest.read_bytes())
    data[len(data) // 2] ^= 1
    largest.write_bytes(data)
    target = server.home / "target"

    with pytest.raises(Refused, match="damaged"):
        pitr.prepare(base, archive, datetime.now(UTC), target)
    assert not target.exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"until": datetime(2026, 1, 1)}, "offset"),  # noqa: DTZ001 - that is what is wrong
        ({"wal": Path("/nowhere")}, "no WAL"),
        ({"wal": Path("/a b")}, "letters"),
        ({"base": Path("/nowhere")}, "no base backup"),
        ({"target": Path("/tmp")}, "exists"),
    ],
)
def test_a_mistake_is_told(tmp_path: Path, changes: dict[str, object], said: str) -> None:
    (tmp_path / ("0" * 24)).touch()
    given = {
        "base": tmp_path,
        "wal": tmp_path,
        "until": datetime.now(UTC),
        "target": tmp_path / "target",
    }
    with pytest.raises(Refused, match=said):
        pitr.prepare(**(given | changes))  # type: ignore[arg-type]
