"""One backup: a dump in PostgreSQL's custom format, and beside it a manifest of what must be in it."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import time
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg2
from psycopg2.extensions import ISOLATION_LEVEL_REPEATABLE_READ, connection

from scripts.backups import fingerprint, programs
from scripts.backups.fingerprint import Fingerprint
from scripts.home import Refused

PREFIX, SUFFIX = "madang-", ".dump"
MOMENT = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True)
class Manifest:
    taken_at: str
    """As ISO 8601 writes it: everything that was committed by then is in it, and nothing later."""
    seconds: float
    """How long it took."""
    server: int
    """The major version of PostgreSQL."""
    revision: str
    """Of the schema: the last migration."""
    bytes: int
    sha256: str
    tables: Fingerprint

    @property
    def age(self) -> float:
        """Seconds."""
        return (datetime.now(UTC) - datetime.fromisoformat(self.taken_at)).total_seconds()


def back_up(url: str, folder: Path) -> Path:
    """Dump the database of *url* into *folder*; where the dump is. Raises ``Refused``.

    The dump and the manifest see the same snapshot. Neither exists under its name before it is whole.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    began, moment = time.monotonic(), datetime.now(UTC)
    with closing(connect(url)) as snapshot:
        snapshot.set_session(isolation_level=ISOLATION_LEVEL_REPEATABLE_READ, readonly=True)
        cursor = snapshot.cursor()
        cursor.execute("SELECT pg_export_snapshot()")
        [name] = cursor.fetchone() or [""]
        major = snapshot.server_version // 10_000
        target = folder / f"{PREFIX}{moment.strftime(MOMENT)}{SUFFIX}"
        new = target.with_suffix(".new")
        try:
            with open(os.open(new, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as out:
                pg_dump = programs.start(
                    programs.find("pg_dump", major),
                    url,
                    "--format=custom",
                    "--no-owner",
                    "--no-privileges",
                    f"--snapshot={name}",
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                )
                programs.finish(pg_dump)
                out.flush()
                os.fsync(out.fileno())
            manifest = Manifest(
                taken_at=moment.isoformat(timespec="seconds"),
                seconds=round(time.monotonic() - began, 1),
                server=major,
                revision=_revision(snapshot),
                bytes=new.stat().st_size,
                sha256=_digest(new),
                tables=fingerprint.take(snapshot),
            )
            # The manifest first: a dump without one does not count.
            beside(target).write_text(
                json.dumps(asdict(manifest), indent=1) + "\n", encoding="utf-8"
            )
            new.rename(target)
        finally:
            new.unlink(missing_ok=True)
    return target


def beside(dump: Path) -> Path:
    """Where the manifest is."""
    return dump.with_name(f"{dump.name}.json")


def verified(dump: Path) -> Manifest:
    """The manifest. Raises ``Refused`` when dump or manifest is missing or not what was written."""
    try:
        manifest = Manifest(**json.loads(beside(dump).read_text(encoding="utf-8")))
        if not dump.is_file():
            raise Refused(f"{dump} is no file")
    except (OSError, ValueError, TypeError) as fault:
        raise Refused(
            f"{beside(dump)} is missing or broken: {dump.name} cannot be trusted"
        ) from fault
    if dump.stat().st_size != manifest.bytes or _digest(dump) != manifest.sha256:
        raise Refused(f"{dump} is damaged: it is not what was written on {manifest.taken_at}")
    return manifest


def newest(folder: Path) -> Path:
    """Raises ``Refused`` when there is none."""
    found = sorted(folder.glob(f"{PREFIX}*{SUFFIX}"))
    if not found:
        raise Refused(f"There is no backup in {folder}")
    return found[-1]


def forget_old(folder: Path, days: int) -> list[Path]:
    """Remove what is older than so many days, but never the newest."""
    older = sorted(folder.glob(f"{PREFIX}*{SUFFIX}"))[:-1]
    limit = time.time() - days * 86_400
    gone = [each for each in older if each.stat().st_mtime < limit]
    for each in gone:
        each.unlink()
        beside(each).unlink(missing_ok=True)
    return gone


def connect(url: str) -> connection:
    """Without the limits of requests. Raises ``Refused``."""
    try:
        return psycopg2.connect(
            url.replace("+psycopg2", "", 1),
            connect_timeout=10,
            options=programs.UNHURRIED,
        )
    except psycopg2.Error as fault:
        raise Refused(
            f"The database cannot be reached: {str(fault).strip().splitlines()[0]}"
        ) from fault


def _revision(snapshot: connection) -> str:
    cursor = snapshot.cursor()
    cursor.execute("SELECT to_regclass('alembic_version') IS NOT NULL")
    if cursor.fetchone() != (True,):
        raise Refused("This database is not of Madang: it has no alembic_version")
    cursor.execute("SELECT string_agg(version_num, ' ') FROM alembic_version")
    [found] = cursor.fetchone() or [None]
    return found or ""


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
