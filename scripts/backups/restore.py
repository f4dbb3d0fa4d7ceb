"""What was backed up comes back: all of it or nothing, and then it is compared with its manifest."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
from psycopg2 import sql

from scripts.backups import fingerprint, programs
from scripts.backups.dump import Manifest, connect, verified
from scripts.home import Refused

BEGIN = b"BEGIN;\nDROP SCHEMA public CASCADE;\nCREATE SCHEMA public;\n"
COMMIT = b"\nCOMMIT;\n"
ENDED = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = %s AND (usename = current_user OR (SELECT rolsuper FROM pg_roles WHERE rolname = current_user))
"""


@dataclass(frozen=True)
class Restored:
    manifest: Manifest
    seconds: float
    rows: int


def restore(dump: Path, url: str, *, replace: bool) -> Restored:
    """Bring *dump* into the database of *url*. Raises ``Refused``, and then nothing was changed.

    What the database holds already is thrown away in the same transaction, if *replace* says so.
    """
    manifest = verified(dump)
    began = time.monotonic()
    with closing(connect(url)) as target:
        major = target.server_version // 10_000
        holds = [name for name, table in fingerprint.take(target).items() if table["rows"]]
    if major < manifest.server:
        raise Refused(f"A backup of PostgreSQL {manifest.server} does not go back to {major}")
    if holds and not replace:
        raise Refused(f"The database is not empty ({', '.join(holds)}): --replace throws that away")
    _load(dump, url, max(major, manifest.server))
    with closing(connect(url)) as target:
        found = fingerprint.take(target)
    if wrong := fingerprint.differences(manifest.tables, found):
        raise Refused("The restored data is not what was backed up:\n  " + "\n  ".join(wrong))
    rows = sum(table["rows"] for table in found.values())
    return Restored(manifest, time.monotonic() - began, rows)


def drill(dump: Path, url: str) -> tuple[Restored, list[str]]:
    """Restore *dump* beside the database of *url*, which is only looked at; how the rows differ from today's."""
    with scratch_database(url) as scratch:
        done = restore(dump, scratch, replace=True)
        with closing(connect(url)) as live:
            now = fingerprint.take(live)
    since = []
    for name, table in now.items():
        before = done.manifest.tables.get(name, {"rows": 0})["rows"]
        since.append(f"{name}: {before} rows in the backup, {table['rows']} now")
    return done, since


def _load(dump: Path, url: str, major: int) -> None:
    """pg_restore writes statements, psql runs them, and only when all of them came is it told to commit."""
    script = subprocess.Popen(
        [programs.find("pg_restore", major), "--file=-", "--no-owner", "--no-privileges", dump],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    options = ("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1")
    psql = programs.start(
        programs.find("psql", major),
        url,
        *options,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    assert script.stdout is not None
    assert psql.stdin is not None
    with suppress(BrokenPipeError), psql.stdin as statements, script.stdout as written:
        statements.write(BEGIN)
        shutil.copyfileobj(written, statements)
        if script.wait() == 0:
            statements.write(COMMIT)
    programs.finish(psql)
    programs.finish(script)


@contextmanager
def scratch_database(url: str) -> Iterator[str]:
    """An empty database on the same server, dropped at the end. Raises ``Refused`` without the right to make one."""
    name = f"madang_drill_{os.getpid()}"
    place = sql.Identifier(name)
    with closing(connect(url)) as server:
        server.autocommit = True
        cursor = server.cursor()
        try:
            cursor.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'").format(place)
            )
        except psycopg2.Error as fault:
            reason = str(fault).strip().splitlines()[0]
            raise Refused(f"No database for the drill ({reason}): give one with --into") from fault
        try:
            yield urlsplit(url)._replace(path=f"/{name}").geturl()
        finally:
            try:
                drop(cursor, name)
            except psycopg2.Error as fault:
                reason = str(fault).strip().splitlines()[0]
                raise Refused(
                    f"Drop the database {name}, which is still there ({reason})"
                ) from fault


def drop(cursor: psycopg2.extensions.cursor, name: str) -> None:
    """A database and whoever is connected to it, if we may end them.

    With FORCE, PostgreSQL refuses to a role that is no superuser while autovacuum is at work in it.
    """
    cursor.execute(ENDED, (name,))
    cursor.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))
