"""The servers that are compared: Madang, the frameworks one could pick instead, and the least there could be.

The peers run out of an environment of their own, on the database of Madang's benchmark, with as many processes,
threads and connections as it has.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import psutil

from api.web.contract import Contract
from benchmarks import service
from benchmarks.service import Target
from scripts.home import ROOT, Refused
from scripts.process import free_port, spawn, stop, wait_for

PEERS = Path(__file__).with_name("peers")
LOCK = PEERS / "requirements.lock"
HOME = ROOT / ".venv-peers"
PROGRAMS, OURS = HOME / "bin", Path(sys.executable).parent
PROCESSES, THREADS = 2, 10
MEASURED = {"/api/v1/posts", "/api/v1/posts/{id}", "/api/v1/auth/login"}

MADANG, FASTAPI, DJANGO, FLASK, FLOOR = "Madang", "FastAPI", "Django REST", "Flask", "floor"
TUNED = "FastAPI, tuned"
"""By somebody who wanted nothing but speed: no longer as its documentation advises."""


@dataclass(frozen=True, slots=True)
class Rival:
    name: str
    url: str
    process: psutil.Process
    log: Path

    def cpu(self) -> float:
        """Seconds of processor time that all its processes took until now."""
        return service.cpu(self.process.pid)

    def last_words(self) -> str:
        return self.log.read_text(errors="replace")[-2000:]


def install() -> None:
    """Raises ``Refused`` when the packages are not to be had."""
    stamp = HOME / ".lock"
    wanted = f"{sys.version}\n{sys.base_prefix}\n{LOCK.read_text()}"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print("Installing the peers into .venv-peers", file=sys.stderr)
    uv = str(Path(sys.executable).with_name("uv"))
    for line in (
        [uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(HOME)],
        [
            uv,
            "pip",
            "sync",
            "--quiet",
            "--require-hashes",
            "--python",
            str(PROGRAMS / "python"),
            str(LOCK),
        ],
    ):
        if subprocess.run(line, check=False).returncode:
            raise Refused("The peers could not be installed, is the network there?")
    stamp.write_text(wanted)


@contextmanager
def running(target: Target) -> Iterator[dict[str, Rival]]:
    """All of them, on the data of *target*, which is Madang."""
    body = target.home / "floor.json"
    with urlopen(f"{target.url}/api/v1/posts", timeout=10) as answer:  # noqa: S310 - our own  # nosec B310
        body.write_bytes(answer.read())
    threads = ["--worker-class=gthread", f"--threads={THREADS}"]
    uvicorn = ["--loop=uvloop", "--http=httptools", "--no-access-log", "--log-level=warning"]
    lines: dict[str, list[str | Path]] = {
        FASTAPI: [PROGRAMS / "uvicorn", "with_fastapi:app", f"--workers={PROCESSES}", *uvicorn],
        TUNED: [PROGRAMS / "uvicorn", "with_fastapi_tuned:app", f"--workers={PROCESSES}", *uvicorn],
        DJANGO: [PROGRAMS / "gunicorn", "with_django:app", f"--workers={PROCESSES}", *threads],
        FLASK: [PROGRAMS / "gunicorn", "with_flask:app", f"--workers={PROCESSES}", *threads],
        FLOOR: [
            OURS / "gunicorn",
            "floor:app",
            f"--workers={PROCESSES}",
            "--worker-class=asgi",
        ],
    }
    environment = {
        **{
            name: target.environment[name]
            for name in ("DATABASE_URL", "JWT_SECRET_KEY", "PUBLIC_URL", "PATH")
        },
        "OTHER_PATHS": json.dumps(_other_paths()),
        "FLOOR_BODY": str(body),
    }
    with ExitStack() as stack:
        found = {MADANG: Rival(MADANG, target.url, psutil.Process(target.pid), target.log)}
        for name, line in lines.items():
            found[name] = stack.enter_context(_started(name, line, environment, target.home))
        yield found


@contextmanager
def _started(
    name: str, line: list[str | Path], environment: dict[str, str], home: Path
) -> Iterator[Rival]:
    port = free_port()
    place = [f"--port={port}"] if "uvicorn" in str(line[0]) else [f"--bind=127.0.0.1:{port}"]
    log = home / f"{name}.log"
    with log.open("wb") as output:
        process = spawn(
            [*line, *place], last_signal=signal.SIGTERM, output=output, cwd=PEERS, env=environment
        )
    rival = Rival(name, f"http://127.0.0.1:{port}", psutil.Process(process.pid), log)
    try:
        if (
            not wait_for(lambda: process.poll() is not None or _answers(rival.url), 30)
            or process.poll() is not None
        ):
            raise Refused(f"{name} did not start:\n{rival.last_words()}")
        yield rival
    finally:
        stop(process, signal.SIGTERM, patience=10)


def _answers(url: str) -> bool:
    try:
        urlopen(f"{url}/api/v1/posts?size=1", timeout=5).close()  # noqa: S310 - our own  # nosec B310
    except OSError:
        return False
    return True


def _other_paths() -> list[str]:
    contract = Contract.load()
    return sorted({each.path for each in contract.operations.values()} - MEASURED)
