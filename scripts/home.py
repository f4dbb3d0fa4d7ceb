"""The folder .madang: secrets, and the lock that keeps two supervisors apart."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK = "lock"
ROOT = Path(__file__).resolve().parent.parent


class Refused(Exception):
    """Nothing can be started; the text is one line for the person who asked."""


def make_home(home: Path) -> None:
    home.mkdir(parents=True, exist_ok=True)
    # As root the servers run as another user, who has to pass through. What is secret has its own mode.
    home.chmod(0o700 if os.geteuid() else 0o711)


def secret(home: Path, name: str) -> str:
    """The secret of that name, made at the first call; 48 hexadecimal digits."""
    file = home / name
    if not file.exists():
        new = file.with_suffix(".new")
        new.unlink(missing_ok=True)
        write_private(new, secrets.token_hex(24))
        new.rename(file)
    return file.read_text(encoding="ascii")


def write_private(file: Path, text: str) -> None:
    """Write a file that was never readable to others, not even for a moment."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as stream:
        os.fchmod(stream.fileno(), 0o600)
        stream.write(text)


@contextmanager
def only_one(home: Path, label: str) -> Iterator[bool]:
    """Hold the folder; ``label`` is what a second one is told. Yields whether the last holder was killed.

    The kernel lets go of the lock with its process, so a killed holder blocks nobody.
    """
    with open(home / LOCK, "a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            raise Refused(f"Already running: {file.read().strip()}") from None
        file.seek(0)
        killed = bool(file.read())
        file.truncate(0)
        file.write(label)
        file.flush()
        try:
            yield killed
        finally:
            file.truncate(0)


def empty(home: Path) -> None:
    """Throw everything away but the lock, which is held."""
    for entry in home.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry.name != LOCK:
            entry.unlink()
