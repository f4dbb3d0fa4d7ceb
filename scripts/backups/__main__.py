"""Behind ./scripts/backup and ./scripts/restore."""

from __future__ import annotations

import argparse
import os
import sys
from datetime import datetime
from pathlib import Path

from scripts.backups import dump, pitr, store
from scripts.backups.restore import drill, restore
from scripts.home import Refused

MEGABYTE = 1_000_000


def main() -> int:
    commands = {"backup": _backup, "restore": _restore}
    try:
        commands[sys.argv[1]](sys.argv[2:])
    except Refused as refusal:
        print(refusal, file=sys.stderr)
        return 1
    return 0


def _backup(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(
        prog="./scripts/backup",
        description="Back up the database of DATABASE_URL. docs/operations.md tells more.",
        epilog=f"With BACKUP_S3_URL it is copied there too. {store.MANUAL}",
    )
    _where(parser)
    parser.add_argument(
        "--keep-days",
        type=int,
        default=int(os.environ.get("BACKUP_KEEP_DAYS") or 30),
        metavar="N",
        help="remove backups in the folder that are older (BACKUP_KEEP_DAYS, 30); never the newest",
    )
    parser.add_argument(
        "--base",
        action="store_true",
        help="copy the whole server of REPLICATION_URL instead, for going back to a moment",
    )
    options = parser.parse_args(arguments)
    if options.base:
        print(pitr.base_backup(_url("REPLICATION_URL"), options.folder))
        return
    target = store.from_env(os.environ)
    made = dump.back_up(_database(), options.folder)
    manifest = dump.verified(made)
    rows = sum(table["rows"] for table in manifest.tables.values())
    print(f"{made}: {rows} rows, {manifest.bytes / MEGABYTE:.1f} MB, {manifest.seconds} s")
    if target:
        for file in (made, dump.beside(made)):
            target.put(file)
        print(f"Copied to {target.url}")
    for gone in dump.forget_old(options.folder, options.keep_days):
        print(f"Removed {gone.name}, which was older than {options.keep_days} days")


def _restore(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(
        prog="./scripts/restore",
        description="Restore a backup into the database of DATABASE_URL, or see whether one could be.",
        epilog=f"FILE is looked for here, then in the folder, then in BACKUP_S3_URL. {store.MANUAL}",
    )
    _where(parser)
    parser.add_argument(
        "file", nargs="?", type=Path, metavar="FILE", help="such as madang-20260101T000000Z.dump"
    )
    parser.add_argument("--replace", action="store_true", help="throw away what the database holds")
    parser.add_argument(
        "--drill",
        action="store_true",
        help="restore it (or the newest) into a database of its own beside the live one, compare, drop",
    )
    until = parser.add_argument_group("back to a moment, with a base backup as FILE")
    until.add_argument(
        "--until",
        type=datetime.fromisoformat,
        metavar="TIME",
        help="such as 2026-01-31T12:00:00+00:00",
    )
    until.add_argument(
        "--wal", type=Path, metavar="FOLDER", help="where the server archived its WAL"
    )
    until.add_argument("--into", type=Path, metavar="FOLDER", help="a data folder to be made")
    options = parser.parse_args(arguments)
    if options.until:
        if not (options.file and options.wal and options.into):
            parser.error("--until needs FILE, --wal and --into")
        pitr.prepare(options.file, options.wal, options.until, options.into)
        print(
            f"{options.into} is ready: PostgreSQL started on it goes on to {options.until} and stays there"
        )
        return
    if not options.drill and options.file is None:
        parser.error("FILE is missing")
    file = _fetched(options.file, options.folder)
    if options.drill:
        _drill(file)
        return
    done = restore(file, _database(), replace=options.replace)
    print(
        f"{done.rows} rows as of {done.manifest.taken_at}, restored and compared in {done.seconds:.1f} s"
    )
    print(
        f"Its schema is of revision {done.manifest.revision}: `madang release` brings it to that of the code"
    )


def _drill(file: Path) -> None:
    done, since = drill(file, _database())
    hours = done.manifest.age / 3600
    print(f"{file.name}: taken {done.manifest.taken_at}, {hours:.1f} hours ago")
    print(
        f"{done.rows} rows in {len(done.manifest.tables)} tables restored and equal, in {done.seconds:.1f} s"
    )
    print("\n".join(since))


def _where(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path(os.environ.get("BACKUP_DIR") or "backups"),
        help="where backups are kept (BACKUP_DIR, backups)",
    )


def _fetched(file: Path | None, folder: Path) -> Path:
    """The backup on this machine: where it is named, else in the folder, else from the store."""
    target = store.from_env(os.environ)
    if file is None:
        if target and not list(folder.glob(f"{dump.PREFIX}*{dump.SUFFIX}")):
            raise Refused(f"There is no backup in {folder}: name one of those in {target.url}")
        return dump.newest(folder)
    for place in (file, folder / file):
        if place.exists():
            return place
    if target is None:
        return file
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in (file.name, dump.beside(file).name):
        target.get(name, folder / name)
    return folder / file.name


def _database() -> str:
    return _url("DATABASE_URL")


def _url(name: str) -> str:
    """The setting, or what is in the file that NAME_FILE names. Raises ``Refused``."""
    if path := os.environ.get(f"{name}_FILE"):
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except OSError as fault:
            raise Refused(f"{name}_FILE cannot be read: {fault.strerror}") from fault
    url = os.environ.get(name) or ""
    if not url.startswith(("postgres://", "postgresql://", "postgresql+psycopg2://")):
        raise Refused(f"{name} must be a URL that begins with postgresql://")
    return url


if __name__ == "__main__":
    sys.exit(main())
