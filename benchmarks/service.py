"""The service as it is deployed: gunicorn with its settings, limits on, logs to a file."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import psutil
import psycopg2

from api.commands.seed import PASSWORD
from scripts.embedded import Servers, scratch_home, servers
from scripts.home import ROOT, Refused
from scripts.process import free_port, spawn, stop
from scripts.service import PROGRAMS, Watched, await_ready

SCALE = "1000000"
"""Times the limits: they are checked and counted as ever, and never reached."""
TRIES = 10
"""To be answered by a service that is busy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    url: str
    home: Path
    log: Path
    database_url: str
    redis_url: str
    posts: int
    seeded_in: float
    """Seconds."""
    load: float
    """Of the machine, in the minute before."""
    environment: dict[str, str]
    postgres: int
    """The process id of its first process."""
    pid: int = 0
    """Of gunicorn's master."""

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        connection = psycopg2.connect(self.database_url)
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            found: list[tuple[Any, ...]] = cursor.fetchall()
        connection.close()
        return found

    def ask(self, path: str, body: dict[str, str] | None = None) -> Any:
        """The ``data`` of an answer; asked again where the service is busy, when it says so.

        Raises ``OSError`` for another refusal, ``Refused`` where it stays busy.
        """
        for _ in range(TRIES):
            try:
                return asked(self.url + path, body)[1]["data"]
            except HTTPError as refusal:
                if refusal.code != HTTPStatus.SERVICE_UNAVAILABLE:
                    raise
                time.sleep(int(refusal.headers["Retry-After"]))
        raise Refused(f"Asked {TRIES} times, the service had too much to do")

    def token(self, number: int) -> str:
        """Of the person with that number; it lasts for 15 minutes."""
        who = {"email": f"demo_{number}@example.com", "password": PASSWORD}
        return str(self.ask("/api/v1/auth/login", who)["access_token"])

    def refusals(self) -> list[str]:
        """The lines of the access log that tell of no success."""
        lines = self.log.read_text(errors="replace").splitlines()
        told = [(json.loads(line), line) for line in lines if line.startswith("{")]
        return [line for fields, line in told if fields.get("status", 200) >= 300]


def cpu(pid: int) -> float:
    """Seconds of processor time of a process and of all it has begun, also of what has ended."""
    process = psutil.Process(pid)
    family = [process, *process.children(recursive=True)]
    return sum(sum(each.cpu_times()[:4]) for each in family)


def asked(
    url: str, body: Mapping[str, Any] | None = None, token: str = ""
) -> tuple[Mapping[str, str], Any]:
    """The headers and the JSON of an answer. Raises ``OSError`` for a refusal."""
    sent = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    request = Request(url, sent, headers)  # noqa: S310 - our own
    with urlopen(request, timeout=10) as answer:  # noqa: S310  # nosec B310
        return answer.headers, json.load(answer)


@contextmanager
def running(posts: int) -> Iterator[Target]:
    """The service, with so many posts; thrown away afterwards."""
    load, _, _ = os.getloadavg()
    with scratch_home() as home, servers(home) as stores:
        port = free_port()
        environment = {
            "ENVIRONMENT": "production",
            "DATABASE_URL": stores.database_url,
            "REDIS_URL": stores.redis_url,
            "JWT_SECRET_KEY": secrets.token_hex(32),
            "PUBLIC_URL": f"http://127.0.0.1:{port}",
            "RATE_LIMIT_SCALE": SCALE,
            "BIND": "127.0.0.1",
            "PORT": str(port),
            "METRICS_PORT": str(free_port()),
            "PATH": os.environ["PATH"],
        }
        _madang(environment, "release")
        started = time.monotonic()
        # Demo data is refused in production, with good reason.
        _madang(
            environment | {"ENVIRONMENT": "test"}, "seed", "--profile=large", f"--posts={posts}"
        )
        target = Target(
            url=environment["PUBLIC_URL"],
            home=home,
            log=home / "gunicorn.log",
            database_url=stores.database_url,
            redis_url=stores.redis_url,
            posts=posts,
            seeded_in=time.monotonic() - started,
            load=load,
            environment=environment,
            postgres=_pid(stores),
        )
        with _gunicorn(environment, target.log) as pid:
            yield replace(target, pid=pid)


@contextmanager
def beside(
    target: Target, name: str, code: Path = ROOT, /, **settings: str
) -> Iterator[tuple[str, int]]:
    """Another one on the same data, with other settings: its URL, and the process id of its master."""
    port = str(free_port())
    url = f"http://127.0.0.1:{port}"
    own = {"PORT": port, "PUBLIC_URL": url, "METRICS_PORT": str(free_port())}
    environment = target.environment | own | settings
    with _gunicorn(environment, target.home / f"{name}.log", code) as pid:
        yield url, pid


def _pid(stores: Servers) -> int:
    if stores.postgres is None or stores.postgres.process is None:
        raise Refused("There is no PostgreSQL of our own")
    return stores.postgres.process.pid


def _madang(environment: dict[str, str], *arguments: str) -> None:
    done = subprocess.run(
        [PROGRAMS / "madang", *arguments], cwd=ROOT, env=environment, stdout=sys.stderr, check=False
    )
    if done.returncode:
        raise Refused(f"madang {arguments[0]} failed (exit status {done.returncode})")


@contextmanager
def _gunicorn(environment: dict[str, str], log: Path, code: Path = ROOT) -> Iterator[int]:
    """Its process id."""
    line: list[str | Path] = [PROGRAMS / "gunicorn", "-c", "scripts/gunicorn.conf.py", "wsgi:app"]
    with log.open("wb") as output:
        process = spawn(line, last_signal=signal.SIGQUIT, output=output, cwd=code, env=environment)
    try:
        await_ready(Watched("gunicorn", process, log), environment)
        yield process.pid
    finally:
        stop(process, signal.SIGTERM, patience=30)
