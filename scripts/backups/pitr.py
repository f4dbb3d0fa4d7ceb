"""Back to a moment: a copy of the whole server (base backup) and every change since (WAL), up to that moment.

The server archives each segment of its WAL with ``archive_command``; see docs/operations.md for the settings.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from scripts.backups import programs
from scripts.backups.dump import MOMENT, connect
from scripts.home import Refused

SAFE = re.compile(r"[\w./-]+")
"""Paths that mean the same to a shell and to PostgreSQL's configuration."""


def base_backup(url: str, folder: Path) -> Path:
    """Copy the server of *url*, whose role may replicate, into *folder*; where it is. Raises ``Refused``."""
    with closing(connect(url)) as server:
        major = server.server_version // 10_000
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    target = folder / f"base-{datetime.now(UTC).strftime(MOMENT)}"
    new = target.with_name(f"{target.name}.new")
    try:
        process = programs.start(
            programs.find("pg_basebackup", major),
            url,
            f"--pgdata={new}",
            "--wal-method=stream",
            "--checkpoint=fast",
            "--manifest-checksums=SHA256",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        programs.finish(process)
        verify(new, major)
        new.rename(target)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return target


def verify(base: Path, major: int = 0) -> None:
    """Raises ``Refused`` when a file is not what was copied."""
    program = programs.find("pg_verifybackup", major or major_of(base))
    done = subprocess.run([program, "--quiet", base], capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["no reason given"])[0]
        raise Refused(f"{base} is damaged: {said}")


def prepare(base: Path, wal: Path, until: datetime, target: Path) -> None:
    """Make *target* a data folder whose server, once started, goes on to *until* and stays there.

    Raises ``Refused``, and then there is no *target*.
    """
    for path in (wal, target):
        if not SAFE.fullmatch(str(path)):
            raise Refused(f"{path}: letters, digits, dots and dashes alone, please")
    if until.tzinfo is None:
        raise Refused("The moment needs an offset, such as 2026-01-31T12:00:00+00:00")
    if target.exists():
        raise Refused(f"{target} exists already")
    if not any(wal.glob("[0-9A-F]" * 24 + "*")):
        raise Refused(f"There is no WAL in {wal}")
    verify(base)
    new = target.with_name(f"{target.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    shutil.copytree(base, new)
    new.chmod(0o700)
    settings = {
        "restore_command": f"cp {wal.absolute()}/%f %p",
        "recovery_target_time": until.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f+00"),
        "recovery_target_action": "promote",
        # What comes after belongs to the server that was left behind.
        "archive_mode": "off",
    }
    with (new / "postgresql.auto.conf").open("a", encoding="utf-8") as out:
        out.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
    (new / "recovery.signal").touch()
    new.rename(target)


def major_of(base: Path) -> int:
    try:
        return int((base / "PG_VERSION").read_text(encoding="ascii"))
    except (OSError, ValueError) as fault:
        raise Refused(f"{base} is no base backup") from fault
