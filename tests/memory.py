"""What the service remembers of answers, in Redis and in this process."""

from __future__ import annotations

from redis import Redis

from api.infra import changes


def forget_all(redis: Redis) -> None:
    """As if everything had been asked long ago; also what was counted."""
    redis.flushdb()
    changes.lose()
