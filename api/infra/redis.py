"""Redis: never the authority for anything, so every call may fail and none may hang."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from threading import Lock, Thread
from typing import Any, TypeVar

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from api.infra.metrics import REDIS_FAILURES

log = logging.getLogger(__name__)
T = TypeVar("T")

TIMEOUT = 0.1
"""Seconds a call may take: slower is as good as gone."""
REST = 1.0
"""Seconds without a call after a failed one, and between two looks at whether it is back."""


def options() -> dict[str, Any]:
    """redis-py would try a dead server again for some ten seconds; the breaker knows better."""
    once = Retry(NoBackoff(), 0)
    return {"socket_timeout": TIMEOUT, "socket_connect_timeout": TIMEOUT, "retry": once}


def connect(url: str) -> Redis:
    """A pool of connections; nothing is opened yet."""
    return Redis.from_url(url, **options())


class Breaker:
    """Calls Redis, or a substitute while Redis rests after a failure, whichever call it was that failed.

    Whether it is back is found out by a thread: no caller waits for a hung server but those who found it so.
    """

    def __init__(self, ping: Callable[[], object]) -> None:
        self._ping = ping
        self._lock = Lock()
        self._seeker: Thread | None = None

    def call(self, use: str, redis: Callable[[], T], substitute: Callable[[], T]) -> T:
        """*use*: what for, as the metric and the log name it."""
        if self._seeker is not None:
            return substitute()
        try:
            return redis()
        except (RedisError, OSError) as err:
            REDIS_FAILURES.labels(use).inc()
            log.warning("redis failed: %s (%s)", use, type(err).__name__)
            self._rest()
            return substitute()

    def _rest(self) -> None:
        with self._lock:
            if self._seeker is None:
                self._seeker = Thread(target=self._seek, name="redis", daemon=True)
                self._seeker.start()

    def _seek(self) -> None:
        while not self._answers():
            pass
        self._seeker = None

    def _answers(self) -> bool:
        time.sleep(REST)
        try:
            self._ping()
        except (RedisError, OSError):
            return False
        return True
