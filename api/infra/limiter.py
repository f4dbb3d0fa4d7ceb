"""Counting hits in Redis by Flask-Limiter's storage and strategy, and without Redis in this process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from flask import Flask
from flask_limiter import Limiter
from limits import RateLimitItem
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter, RateLimiter

from api.infra import redis
from api.infra.redis import Breaker


@dataclass(frozen=True, slots=True)
class Count:
    within: bool
    remaining: int
    resets_at: float
    """Seconds since the epoch."""


Ask = Callable[[RateLimiter, RateLimitItem, str], Count]


class Counter:
    """Fixed windows that begin with the first hit.

    While Redis fails each process counts for itself and allows its share: the limit divided by
    the number of processes, at least 1.
    """

    def __init__(self, app: Flask, redis_url: str, processes: int) -> None:
        self._limiter = Limiter(
            key_func=lambda: "",
            app=app,
            storage_uri=redis_url,
            storage_options=redis.options(),
            strategy="fixed-window",
            headers_enabled=False,
        )
        self._local = FixedWindowRateLimiter(MemoryStorage())
        self._processes = processes
        self._breaker = Breaker("limits")

    def hit(self, item: RateLimitItem, key: str) -> Count:
        return self._ask(_hit, item, key)

    def look(self, item: RateLimitItem, key: str) -> Count:
        """As it stands, without counting."""
        return self._ask(_look, item, key)

    def _ask(self, ask: Ask, item: RateLimitItem, key: str) -> Count:
        share = type(item)(
            max(1, item.amount // self._processes), item.multiples, namespace=item.namespace
        )
        return self._breaker.call(
            lambda: ask(self._limiter.limiter, item, key),
            lambda: ask(self._local, share, key),
        )


def _hit(strategy: RateLimiter, item: RateLimitItem, key: str) -> Count:
    within = strategy.hit(item, key)
    return replace(_look(strategy, item, key), within=within)


def _look(strategy: RateLimiter, item: RateLimitItem, key: str) -> Count:
    stats = strategy.get_window_stats(item, key)
    return Count(stats.remaining > 0, stats.remaining, stats.reset_time)
