"""Whether what Redis says may be believed.

Whoever loses Redis, even for one call, may have missed writing something down; whoever begins, or finds
another server where one was, does not know who did. So no process of this host (api/infra/changes.py)
believes or keeps anything until it has renewed what makes all that was there before worthless.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from threading import Lock, Thread
from typing import Any

from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import RedisError, ResponseError

from api.infra import changes
from api.infra.metrics import REDIS_FAILURES

log = logging.getLogger(__name__)

TRIES = 5
"""Of a call that meets others' losses, or another server at each connection."""
RETRY = 0.2
"""Seconds between two tries to reach Redis again."""
RUN_ID = re.compile(rb"run_id:(\w+)")
"""Of a server, new at each of its starts."""


class AnotherServer(Disconnected):
    """What it holds may be older than what was known of the one before."""


class Trust:
    def __init__(self, renew: Callable[[], object]) -> None:
        """*renew*: lets nobody believe what Redis held before; raises as Redis' client does."""
        self._renew = renew
        self._server = b""
        self._trusted = b""
        self._seeker: Thread | None = None
        self._turn = Lock()
        self._lock = Lock()

    @property
    def holds(self) -> bool:
        return self._trusted == changes.losses()

    def call(self, call: Callable[[], Any]) -> Any:
        """None when Redis fails, and while it is not trusted."""
        for _ in range(TRIES):
            word = changes.losses()
            if self._trusted != word:
                if not self._trusts_again():
                    return None
                continue
            try:
                answer = call()
            except AnotherServer:
                continue
            except (RedisError, OSError):
                self.lose()
                return None
            if word == changes.losses():
                return answer
        return None

    def greet(self, connection: Any) -> None:
        """Of each new connection: a server that was restarted may hold what it once saved to disk."""
        connection.on_connect()
        connection.send_command("INFO", "server")
        try:
            found = RUN_ID.search(connection.read_response())
        except ResponseError:  # not for us to know
            found = None
        if self._is_another(found[1] if found else b"unknown"):
            raise AnotherServer("not the one of before")

    def _is_another(self, server: bytes) -> bool:
        with self._lock:
            was, self._server = self._server, server
            if was in (b"", server):
                return False
            changes.lose()
            return True

    def _trusts_again(self) -> bool:
        """Renew at once, while others wait; if that fails, leave it to a thread."""
        with self._turn:
            if self.holds:
                return True
            return self._seeker is None and (self._renews() or self.lose())

    def lose(self) -> bool:
        """Nobody on this host is to believe anything; a thread seeks Redis, however long it takes."""
        changes.lose()
        with self._lock:
            if self._seeker is None:
                REDIS_FAILURES.labels("cache").inc()
                log.warning("redis failed: cache")
                self._seeker = Thread(target=self._seek, name="cache-epoch", daemon=True)
                self._seeker.start()
        return False

    def _seek(self) -> None:
        while not self._renews():
            time.sleep(RETRY)

    def _renews(self) -> bool:
        """Whether it was renewed, after everything that was lost before."""
        word = changes.losses()
        try:
            self._renew()
        except (RedisError, OSError):
            return False
        with self._lock:
            if word != changes.losses():
                return False
            self._trusted, self._seeker = word, None
            return True
