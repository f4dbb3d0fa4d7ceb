"""Somebody who follows docs/testing-against-madang.md: a checkout, a running service, a shell for its lines."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests import live
from tests.docs.pages import ROOT, sections

HOST = "http://localhost:8000"
PATIENCE = 900
SECTIONS = sections(ROOT / "docs/testing-against-madang.md")
"""Blocks of commands by heading."""
START, PREPARE, SEED = SECTIONS.pop("Getting ready")
RAISED = dict(word.split("=", 1) for word in shlex.split(START)[:-1])
"""What the service is started with."""


@dataclass(frozen=True)
class Visitor:
    home: Path
    server: live.Server

    def run(self, commands: str) -> subprocess.CompletedProcess[str]:
        """What the page says, line by line, in one shell that stops at the first failure."""
        return subprocess.run(
            self._shell(commands),
            cwd=self.home,
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    @contextmanager
    def meanwhile(self, command: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
        """A command that goes on until the block ends."""
        with log.open("wb") as output:
            process = subprocess.Popen(
                self._shell(f"exec {command}"),
                cwd=self.home,
                env=self._environment(),
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            yield process
        finally:
            # What stands on PATH as node starts the real one, which goes on when only the former ends.
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()

    def _shell(self, commands: str) -> list[str]:
        path = next(line for line in PREPARE.splitlines() if line.startswith("export PATH"))
        lines = f"{path}\n{commands}".replace(HOST, self.server.url)
        return ["bash", "--norc", "-e", "-c", lines]

    def _environment(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": str(self.home), "LC_ALL": "C.UTF-8"}


def check_out(home: Path, environment: dict[str, str]) -> None:
    """The checkout as the page has it, with what ./scripts/run leaves there while it goes."""
    for name in ("openapi", "tests"):
        (home / name).symlink_to(ROOT / name)
    (home / ".venv").symlink_to(sys.prefix)
    (home / "tmp").mkdir()
    (home / ".madang").mkdir()
    exports = (f"export {name}={shlex.quote(value)}\n" for name, value in environment.items())
    (home / ".madang/env").write_text("".join(exports), encoding="utf-8")
