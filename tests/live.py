"""The service as it is deployed: gunicorn with worker processes, on a port of its own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.waiting import PATIENCE, until, until_it_answers

ROOT = Path(__file__).resolve().parents[1]


@dataclass
class Server:
    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=10)

    def lines(self) -> list[dict[str, Any]]:
        """What its log tells, but for what is not JSON."""
        whole, _, _ = self.log.read_text("utf-8").rpartition("\n")
        return [json.loads(line) for line in whole.splitlines() if line.startswith("{")]


@contextmanager
def serve(environment: dict[str, str], log: Path, *arguments: str, **how: Any) -> Iterator[Server]:
    """Run gunicorn with our configuration until the block ends. *arguments* go to gunicorn."""
    with started(environment, log, *arguments, **how) as server:
        with shown(log):
            until_it_answers(f"{server.url}/readyz", server.process)
        yield server


@contextmanager
def started(
    environment: dict[str, str],
    log: Path,
    *arguments: str,
    port: int | None = None,
    application: str = "wsgi:app",
) -> Iterator[Server]:
    """The same, but that it may not answer yet."""
    port = port or free_port()
    url = f"http://127.0.0.1:{port}"
    settings = {"PUBLIC_URL": url, **environment, "PORT": str(port), "PATH": os.environ["PATH"]}
    command = [sys.executable, "-m", "gunicorn", "-c", "scripts/gunicorn.conf.py", *arguments]
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*command, "-b", f"127.0.0.1:{port}", application],
            cwd=ROOT,
            env=settings,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield Server(url, process, log)
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def shown(log: Path) -> Iterator[None]:
    """What a server said, where it did not start."""
    try:
        yield
    except AssertionError as failed:
        raise AssertionError(f"it did not start:\n{log.read_text()}") from failed


def wait_for_port(port: int, patience: float = PATIENCE) -> None:
    """Return once somebody listens there."""
    until(lambda: listens(port), patience)


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
    except OSError:
        return False
    return True


def madang(command: str, environment: dict[str, str]) -> None:
    """Run a command of ours on the servers that *environment* names."""
    line = [sys.executable, "-c", "from api.cli import main; main()", *command.split()]
    subprocess.run(line, cwd=ROOT, env={**environment, "PATH": os.environ["PATH"]}, check=True)
