"""A Redis-compatible server (Valkey) out of a package, for one folder."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from scripts.embedded.place import account, own, valkey_program
from scripts.home import Refused, secret, write_private
from scripts.process import free_port, spawn, stop, stop_leftover, wait_for

CONFIGURATION = """\
bind 127.0.0.1
port {port}
requirepass {password}
dir "{home}"
pidfile "{home}/valkey.pid"
save ""
maxmemory 64mb
maxmemory-policy allkeys-lru
# The command line names this file, so a later start can tell whose process it is.
set-proc-title no
"""


class Valkey:
    """Keeps nothing: what it held is gone after ``stop``, as with any cache."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.log = home / "valkey.log"
        self._file = home / "valkey.conf"

    @property
    def url(self) -> str:
        return f"redis://:{secret(self.home, 'redis_password')}@127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start and wait until it answers; also after a SIGKILL. Raises ``Refused``."""
        self.stop_leftover()
        password = secret(self.home, "redis_password")
        text = CONFIGURATION.format(port=self.port, password=password, home=self.home)
        write_private(self._file, text)
        own(self._file)
        with open(self.log, "wb") as log:
            self.process = spawn(
                [valkey_program(), self._file],
                last_signal=signal.SIGTERM,
                output=log,
                account=account(),
                cwd="/",
            )
        # uid 65534 may not write here, so the server's own pid file does not come about.
        (self.home / "valkey.pid").write_text(str(self.process.pid))
        process = self.process
        if (
            not wait_for(lambda: process.poll() is not None or self._answers(), 20)
            or process.poll() is not None
        ):
            self.stop()
            raise Refused(f"Valkey did not start: see {self.log}")

    def stop_leftover(self) -> None:
        stop_leftover(self.home / "valkey.pid", self._file, signal.SIGTERM)

    def stop(self) -> None:
        if self.process is not None:
            stop(self.process, signal.SIGTERM, patience=5)
        (self.home / "valkey.pid").unlink(missing_ok=True)

    def _answers(self) -> bool:
        # Left to itself the client waits seconds between attempts.
        with redis.Redis.from_url(self.url, retry=Retry(NoBackoff(), 0)) as client:
            try:
                return bool(client.ping())
            except redis.ConnectionError:
                return False
