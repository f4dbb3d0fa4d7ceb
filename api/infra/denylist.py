"""Ended sessions, so that their access tokens can be refused before the database is asked.

A hint only: the row in ``sessions`` is the authority, and losing this list costs nothing but speed.
"""

from __future__ import annotations

from uuid import UUID

from redis import Redis

from api.infra.redis import Breaker

USE = "denylist"


class DenyList:
    def __init__(self, redis: Redis, lifetime: int, breaker: Breaker) -> None:
        """*lifetime*: seconds that the last access token of a session can still be accepted."""
        self._redis = redis
        self._lifetime = lifetime
        self._breaker = breaker

    def add(self, session_id: UUID) -> None:
        key = self._key(session_id)
        self._breaker.call(USE, lambda: self._redis.set(key, 1, ex=self._lifetime), lambda: None)

    def __contains__(self, session_id: UUID) -> bool:
        key = self._key(session_id)
        return bool(self._breaker.call(USE, lambda: self._redis.exists(key), lambda: 0))

    @staticmethod
    def _key(session_id: UUID) -> str:
        return f"denied:{session_id}"
