"""A docker that only remembers: what it was asked, and which containers of the service there are."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.live import ROOT

PROGRAM = r"""
import json, os, sys
from pathlib import Path

home, words = Path(os.environ["STUB_HOME"]), sys.argv[1:]
containers = json.loads((home / "containers").read_text())
with (home / "asked").open("a") as asked:
    print(*words, file=asked)


def scaled():
    number = next((int(w.partition("=")[2]) for w in words if w.startswith("app=")), 2)
    while len(containers) < number:
        made = int((home / "made").read_text()) + 1
        (home / "made").write_text(str(made))
        containers[f"{made:064x}"] = os.environ.get("IMAGE") or "built"
    while len(containers) > number:
        containers.popitem()


def answered():
    match words:
        case ["compose", "ps", *_]:
            if (home / "silent").exists():
                return True
            print(*containers, sep="\n", end="\n" if containers else "")
        case ["compose", "up", *_]:
            scaled()
            return any(image.endswith("bad") for image in containers.values())
        case ["rm", *_]:
            del containers[words[-1]]
        case ["logs", *_]:
            print("its last words")
        case ["compose", "exec", "-T", "db", "pg_dump", *_]:
            print("half" if (home / "broken").exists() else "whole")
            return (home / "broken").exists()
        case ["compose", "exec", "-T", "db", "pg_restore", *_]:
            (home / "restored").write_text(sys.stdin.read())
            return (home / "broken").exists()
    return False


failed = answered()
(home / "containers").write_text(json.dumps(containers))
sys.exit(int(failed))
"""


@dataclass(frozen=True)
class Docker:
    home: Path

    def __post_init__(self) -> None:
        program = self.home / "bin" / "docker"
        program.parent.mkdir()
        program.write_text(f"#!{sys.executable}{PROGRAM}", encoding="utf-8")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        (self.home / "containers").write_text("{}")
        (self.home / "made").write_text("0")
        (self.home / "asked").touch()

    def run(self, *line: str | Path, **settings: str) -> subprocess.CompletedProcess[str]:
        """A command of ours, in its folder, that finds this docker and none of the caller's settings."""
        path = f"{self.home / 'bin'}:{os.environ['PATH']}"
        return subprocess.run(
            line,
            env={"PATH": path, "STUB_HOME": str(self.home), **settings},
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def script(
        self, name: str, *arguments: str, **settings: str
    ) -> subprocess.CompletedProcess[str]:
        return self.run(ROOT / "scripts" / name, *arguments, **settings)

    @property
    def containers(self) -> list[str]:
        """The image of each."""
        return re.findall(r'": "([^"]+)"', (self.home / "containers").read_text())

    @property
    def asked(self) -> list[str]:
        return (self.home / "asked").read_text().splitlines()
