"""For gunicorn's master: where its workers count, and the process that serves what they have counted.

prometheus_client reads FOLDER when it is imported, so nothing here imports it before that is set.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
MEMORY = Path("/dev/shm")  # noqa: S108 - the folder in it has a name that nobody can know  # nosec B108

REST = 3.0
"""Seconds before a process that died is started again: one that always dies must not use up the machine."""
_running: list[Exporter] = []


def prepare() -> None:
    """Let the children of this process count in a new folder; in memory, since a disk can stall."""
    if FOLDER not in os.environ:
        place = MEMORY if os.access(MEMORY, os.W_OK) else None
        os.environ[FOLDER] = tempfile.mkdtemp(prefix="madang-metrics-", dir=place)


def start(host: str, port: int) -> None:
    """Serve them until ``stop``; the process ends with this one at the latest, and takes the folder along."""
    _running.append(Exporter([sys.executable, "-m", "api.infra.exporter", host, str(port)]))


def stop() -> None:
    while _running:
        _running.pop().stop()


class Exporter:
    """The process, and a thread that starts it again: gunicorn has no hook for what dies and is no worker."""

    def __init__(self, command: list[str]) -> None:
        self._command = command
        self._stopped = threading.Event()
        self._process = subprocess.Popen(command)
        threading.Thread(target=self._keep, name="exporter", daemon=True).start()

    def stop(self) -> None:
        # Should the thread be starting another just now, that one ends with its parent, which is this process.
        self._stopped.set()
        self._process.terminate()

    def _keep(self) -> None:
        while True:
            self._process.wait()
            if self._stopped.wait(REST):
                return
            logging.getLogger(__name__).error("the metrics' process died; it is started again")
            with suppress(OSError):  # no memory for it just now: after another rest there may be
                # Unless it was killed, it took the folder along, without which no worker could start.
                Path(os.environ[FOLDER]).mkdir(mode=0o700, exist_ok=True)
                self._process = subprocess.Popen(self._command)


def forget(pid: int) -> None:
    """Of a process that is gone: what it has counted stays, what it held does not."""
    if FOLDER in os.environ:
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(pid)  # type: ignore[no-untyped-call]
