"""PostgreSQL's own programs: pg_dump must be at least as new as the server."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from scripts.home import Refused

INSTALLED = Path("/usr/lib/postgresql")
"""Where Debian keeps one folder for each major version."""
UNHURRIED = (
    "-c statement_timeout=0 -c idle_in_transaction_session_timeout=0 -c lock_timeout=10s "
    "-c client_min_messages=warning"
)
"""No limit of the service's role is for what takes minutes."""


def find(name: str, major: int) -> Path:
    """The program, of the first PostgreSQL that is new enough. Raises ``Refused``."""
    newest = 0
    for found in _candidates(name):
        said = subprocess.run([found, "--version"], capture_output=True, text=True, check=False)
        if version := re.search(r" (\d+)", said.stdout):
            newest = max(newest, int(version[1]))
            if int(version[1]) >= major:
                return found
    has = f"the newest found is {newest}" if newest else "there is none"
    raise Refused(
        f"{name} of PostgreSQL {major} or later is needed, {has}: MADANG_PG_BIN names a folder"
    )


def _candidates(name: str) -> Iterator[Path]:
    if folder := os.environ.get("MADANG_PG_BIN"):
        yield Path(folder) / name
    if found := shutil.which(name):
        yield Path(found)
    majors = [each for each in INSTALLED.glob("*") if each.name.isdigit()]
    for each in sorted(majors, key=lambda each: -int(each.name)):
        if (each / "bin" / name).exists():
            yield each / "bin" / name
    try:
        from scripts.embedded.place import postgres_programs

        yield postgres_programs() / name
    except (ImportError, Refused):
        pass


def start(program: Path, url: str, *arguments: str, **streams: Any) -> subprocess.Popen[bytes]:
    """Run it on the database of *url*, with what it complains of in a pipe."""
    bare, password = without_password(url)
    return subprocess.Popen(
        [program, f"--dbname={bare}", *arguments],
        env={**os.environ, "PGPASSWORD": password, "PGOPTIONS": UNHURRIED, "LC_MESSAGES": "C"},
        stderr=subprocess.PIPE,
        **streams,
    )


def finish(process: subprocess.Popen[bytes]) -> None:
    """Raises ``Refused`` with the first line it complained in, if it failed."""
    assert process.stderr is not None
    with process.stderr as stderr:
        said = stderr.read().decode(errors="replace").strip().splitlines()
    if process.wait():
        name = Path(str(process.args[0])).name  # type: ignore[index]
        first = next((line for line in said if "error" in line.lower()), "")
        raise Refused(f"{name} failed: {first or (said or ['no reason given'])[0]}")


def without_password(url: str) -> tuple[str, str]:
    """What may stand on a command line, where everybody on the machine sees it, and what may not."""
    parts = urlsplit(url)
    user, _, place = parts.netloc.rpartition("@")
    name, _, password = user.partition(":")
    netloc = f"{name}@{place}" if name else place
    return urlunsplit(parts._replace(scheme="postgresql", netloc=netloc)), unquote(password)
