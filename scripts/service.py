"""The processes that make up the service itself: the commands before it, gunicorn, and the watch over all."""

from __future__ import annotations

import errno
import http.client
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scripts.home import ROOT, Refused
from scripts.process import spawn, stop, wait_for

PROGRAMS = Path(sys.prefix) / "bin"


@dataclass(frozen=True)
class Watched:
    """A process whose end is everybody's end."""

    name: str
    process: subprocess.Popen[bytes] | None
    log: Path | None = None

    @property
    def ended(self) -> bool:
        return self.process is None or self.process.poll() is not None


def await_port(host: str, port: str, *, patience: float) -> None:
    """Return once the port can be had. Raises ``Refused`` when it cannot."""
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise Refused(f"PORT must be a number from 1 to 65535, not {port}")
    fault = OSError()

    def is_free() -> bool:
        nonlocal fault
        try:
            with socket.create_server((host, int(port))):
                return True
        except OSError as error:
            fault = error
            return False

    if wait_for(is_free, patience):
        return
    if fault.errno == errno.EADDRINUSE:
        raise Refused(
            f"Port {port} is taken: choose another, such as PORT={int(port) % 65535 + 1} ./scripts/run"
        )
    raise Refused(f"Port {port} of {host} cannot be used: {fault.strerror or fault}")


def command(name: str, environment: dict[str, str]) -> None:
    """Run ``madang NAME``. Raises ``Refused`` when it fails; what it said stands above."""
    process = spawn(
        [PROGRAMS / "madang", name], last_signal=signal.SIGTERM, cwd=ROOT, env=environment
    )
    try:
        status = process.wait()
    finally:
        stop(process, signal.SIGTERM, patience=10)
    if status:
        raise Refused(f"madang {name} failed (exit status {status})")


@contextmanager
def gunicorn(environment: dict[str, str]) -> Iterator[Watched]:
    """gunicorn as every deployment starts it; at the end it finishes what it is answering."""
    line: list[str | Path] = [PROGRAMS / "gunicorn", "-c", "scripts/gunicorn.conf.py", "wsgi:app"]
    # If this process is killed nobody waits for answers: SIGQUIT is the quick way, and it frees the port.
    process = spawn(line, last_signal=signal.SIGQUIT, cwd=ROOT, env=environment)
    try:
        yield Watched("gunicorn", process)
    finally:
        stop(process, signal.SIGTERM, patience=30)


def await_ready(service: Watched, environment: dict[str, str]) -> None:
    """Return once /readyz says yes. Raises ``Refused`` when the service ends or takes too long."""
    everywhere = environment["BIND"] == "0.0.0.0"  # noqa: S104  # nosec B104
    host = "127.0.0.1" if everywhere else environment["BIND"]

    def ready() -> bool:
        connection = http.client.HTTPConnection(host, int(environment["PORT"]), timeout=5)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    if not wait_for(lambda: service.ended or ready(), 60):
        raise Refused("The service did not become ready within a minute: see what it said above")
    if service.ended:
        raise Refused("The service ended while it started: see what it said above")


def watch(all_of_them: list[Watched]) -> None:
    """Return never: raises ``Refused`` when one ends."""
    while True:
        for each in all_of_them:
            if each.ended:
                status = each.process.returncode if each.process else None
                hint = f"; its last words are in {each.log}" if each.log else ""
                raise Refused(
                    f"{each.name} ended (exit status {status}), so everything was stopped{hint}"
                )
        time.sleep(0.2)
