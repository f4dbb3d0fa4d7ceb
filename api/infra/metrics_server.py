"""For gunicorn's master: where its workers count, and the process that serves what they have counted.

prometheus_client reads FOLDER when it is imported, so nothing here imports it before that is set.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
MEMORY = Path("/dev/shm")  # noqa: S108 - the folder in it has a name that nobody can know  # nosec B108


def prepare() -> None:
    """Let the children of this process count in a new folder; in memory, since a disk can stall."""
    if FOLDER not in os.environ:
        place = MEMORY if os.access(MEMORY, os.W_OK) else None
        os.environ[FOLDER] = tempfile.mkdtemp(prefix="madang-metrics-", dir=place)


def start(host: str, port: int) -> subprocess.Popen[bytes]:
    """It ends by SIGTERM or with this process, and takes the folder along."""
    command = [sys.executable, "-m", "api.infra.exporter", host, str(port)]
    return subprocess.Popen(command)


def forget(pid: int) -> None:
    """Of a process that is gone: what it has counted stays, what it held does not."""
    if FOLDER in os.environ:
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(pid)  # type: ignore[no-untyped-call]
