"""Copies of this checkout in which ./scripts/run can be tried without touching the real .madang."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.live import free_port
from tests.waiting import until

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("api", "migrations", "openapi", "scripts", "wsgi.py")
PATIENCE = 60.0


def copy_checkout(target: Path) -> Path:
    """The program without what is made in it, .venv being that of this checkout."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, target / name)
    return target


class Run:
    """``python -m scripts.serve`` in a checkout, as ./scripts/run starts it."""

    def __init__(self, checkout: Path, *arguments: str, **settings: str) -> None:
        self.port = int(settings.setdefault("PORT", str(free_port())))
        self.log = checkout / f"run-{self.port}.log"
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [ROOT / ".venv/bin/python", "-m", "scripts.serve", *arguments],
                cwd=checkout,
                env={"PATH": os.environ["PATH"], "WEB_CONCURRENCY": "1", **settings},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def await_banner(self) -> str:
        self.await_text("Ctrl-C stops it")
        return self.log.read_text()

    def await_text(self, text: str) -> None:
        until(lambda: text in self.log.read_text() or self.process.poll() is not None, PATIENCE)
        assert text in self.log.read_text(), self.log.read_text()

    def end(self, number: int = signal.SIGINT) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


@contextmanager
def running(checkout: Path, *arguments: str, **settings: str) -> Iterator[Run]:
    run = Run(checkout, *arguments, **settings)
    try:
        yield run
    finally:
        if run.process.poll() is None:
            run.end(signal.SIGTERM)


def processes_naming(text: str) -> list[str]:
    """Command lines of the living that hold ``text``."""
    lines = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(file.read_text(errors="replace").replace("\0", " "))
        except OSError:
            continue
    return [line for line in lines if text in line]
