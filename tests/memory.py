"""What the service remembers of answers and of who asked, in Redis and in this process."""

from __future__ import annotations

from weakref import WeakSet

from redis import Redis

from api.app import App
from api.infra import changes
from api.web.limits import Limits

_counting: WeakSet[Limits] = WeakSet()


def remembers_hits(app: App) -> App:
    """Of this one it is known that it may have noted hits, of which Redis has not heard yet."""
    _counting.add(app.runtime.limits)
    return app


def forget_all(redis: Redis) -> None:
    """As if everything had been asked long ago; also what was counted."""
    for limits in _counting:
        limits.settle()
    redis.flushdb()
    changes.lose()
