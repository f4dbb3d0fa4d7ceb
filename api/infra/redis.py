"""Redis: never the authority for anything, so every call may fail and none may hang."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
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
"""Seconds without a call after a failed one, so that a hung server costs one wait, not one each."""


def options() -> dict[str, Any]:
    """redis-py would try a dead server again for some ten seconds; the breaker knows better."""
    once = Retry(NoBackoff(), 0)
    return {"socket_timeout": TIMEOUT, "socket_connect_timeout": TIMEOUT, "retry": once}


def connect(url: str) -> Redis:
    """A pool of connections; nothing is opened yet."""
    return Redis.from_url(url, **options())


class Breaker:
    """Calls Redis, or its substitute while Redis rests after a failure."""

    def __init__(self, use: str) -> None:
        self.use = use
        self._rests_until = 0.0

    def call(self, redis: Callable[[], T], substitute: Callable[[], T]) -> T:
        if time.monotonic() < self._rests_until:
            return substitute()
        try:
            return redis()
        except (RedisError, OSError) as err:
            self._rests_until = time.monotonic() + REST
            REDIS_FAILURES.labels(self.use).inc()
            log.warning("redis failed: %s (%s)", self.use, type(err).__name__)
            return substitute()
