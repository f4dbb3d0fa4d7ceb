"""Counting hits in Redis by Flask-Limiter's storage and strategy, and without Redis in this process."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from threading import Lock, Timer
from typing import cast

from flask import Flask
from flask_limiter import Limiter
from limits import RateLimitItem
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import FixedWindowRateLimiter, RateLimiter

from api.infra import redis
from api.infra.redis import Breaker


@dataclass(frozen=True, slots=True)
class Count:
    within: bool
    remaining: int
    resets_at: float
    """Seconds since the epoch."""


Hit = tuple[RateLimitItem, str]
"""Of which limit, by whom."""

COUNT = """
local found = {}
for place, key in ipairs(KEYS) do
    local count = redis.call("INCRBY", key, ARGV[2 * place])
    local left = redis.call("TTL", key)
    if left < 0 then
        left = tonumber(ARGV[2 * place - 1])
        redis.call("EXPIRE", key, left)
    end
    found[2 * place - 1] = count
    found[2 * place] = left
end
return found
"""
"""What the strategy does in three trips for each: count, and tell the sums and the seconds that are left."""
USE = "limits"
LATE = 0.1
"""Seconds after which Redis is told of hits that were only noted."""
AT_ONCE = 500
"""Of which it is told in one trip."""
FEW = 50
"""A process may note one in so many of what a limit allows before Redis has to hear of them."""
NEAR = 4
"""When only one in so many is left, Redis is asked each time."""
FRESH = 1.0
"""Seconds for which it is far from the limit who was so when Redis was asked."""
MOST_TALLIES = 10_000
"""Of so many callers it is remembered how they stood; who is forgotten costs a question more."""


@dataclass(slots=True)
class Tally:
    """How a bucket stood when Redis was asked, and the hits that it has not said to have counted."""

    hit: Hit
    count: Count
    noted: int = 0
    told: int = 0
    """What Redis is being told at this moment."""
    asked_at: float = 0.0
    """By the monotonic clock."""

    @property
    def is_far(self) -> bool:
        """Whether it makes no difference to this hit what others have counted since Redis was asked."""
        if time.monotonic() - self.asked_at > FRESH:
            return False
        amount, unheard = self.hit[0].amount, self.noted + self.told
        return unheard < amount // FEW and self.count.remaining - unheard > amount // NEAR


class Counter:
    """Fixed windows that begin with the first hit.

    While Redis fails each process counts for itself and allows its share: the limit divided by
    the number of processes, at least 1.
    """

    def __init__(self, redis_url: str, processes: int, breaker: Breaker) -> None:
        self._limiter = Limiter(
            key_func=lambda: "",
            # Not ours, where it would look before each request for limits that it was never told of.
            app=Flask("limits"),
            storage_uri=redis_url,
            storage_options=redis.options(),
            strategy="fixed-window",
            headers_enabled=False,
        )
        self._storage = cast(RedisStorage, self._limiter.storage)
        self._count = self._storage.get_connection().register_script(COUNT.encode())
        self._local = FixedWindowRateLimiter(MemoryStorage())
        self._processes = processes
        self._breaker = breaker
        self._tallies: dict[str, Tally] = {}
        """By the key in Redis."""
        self._lock = Lock()
        self._turn = Lock()
        self._teller: Timer | None = None

    def hit(self, hits: Sequence[Hit]) -> list[Count]:
        """In one trip to Redis, together with what was noted; in none while all of them are far from their limit."""
        return self._note(hits, if_far=True) or self._tell(hits, 1)

    def note(self, hits: Sequence[Hit]) -> list[Count] | None:
        """Without asking Redis, which is told within ``LATE``; it cannot fail or wait.

        None, and nothing is noted, when nobody here knows how one of the buckets stands.
        """
        return self._note(hits, if_far=False)

    def _note(self, hits: Sequence[Hit], *, if_far: bool) -> list[Count] | None:
        now = time.time()
        with self._lock:
            tallies = [self._tallies.get(item.key_for(key)) for item, key in hits]
            if any(tally is None or tally.count.resets_at <= now for tally in tallies):
                return None
            if if_far and not all(tally.is_far for tally in tallies if tally):
                return None
            if self._teller is None:
                teller = Timer(LATE, self._tell_all)
                teller.daemon = True
                teller.start()
                self._teller = teller
            return [_noted(tally) for tally in tallies if tally]

    def look(self, item: RateLimitItem, key: str) -> Count:
        """As it stands, without counting."""
        tally = self._tallies.get(item.key_for(key))
        if tally and tally.noted:
            return self._tell([(item, key)], 0)[0]
        return self._breaker.call(
            USE,
            lambda: _look(self._limiter.limiter, item, key),
            lambda: _look(self._local, *self._share((item, key))),
        )

    def settle(self) -> None:
        """Tell Redis what was noted, and forget how all buckets stood."""
        self._tell_all()
        with self._lock:
            self._tallies.clear()

    def _tell(self, hits: Sequence[Hit], more: int) -> list[Count]:
        places = [item.key_for(key) for item, key in hits]
        with self._lock:
            costs = [more + self._taken(place) for place in places]
        now = time.monotonic()
        counts = self._breaker.call(
            USE, lambda: self._hit(hits, places, costs), lambda: self._hit_here(hits, costs)
        )
        with self._lock:
            if len(self._tallies) >= MOST_TALLIES:
                self._tallies = {
                    known: each for known, each in self._tallies.items() if each.noted or each.told
                }
            for place, hit, cost, count in zip(places, hits, costs, counts, strict=True):
                # What was noted meanwhile stays.
                tally = self._tallies.setdefault(place, Tally(hit, count))
                tally.count, tally.told = count, max(0, tally.told - (cost - more))
                tally.asked_at = now
        return counts

    def _taken(self, place: str) -> int:
        """What was noted, which nobody else is to tell. What belongs to a window that is over counts no more."""
        if (tally := self._tallies.get(place)) is None:
            return 0
        noted, tally.noted = tally.noted, 0
        if tally.count.resets_at <= time.time():
            return 0
        tally.told += noted
        return noted

    def _tell_all(self) -> None:
        with self._turn:  # so that who comes second finds all of it told
            with self._lock:
                self._teller = None
                hits = [tally.hit for tally in self._tallies.values() if tally.noted]
            for first in range(0, len(hits), AT_ONCE):
                self._tell(hits[first : first + AT_ONCE], 0)

    def _hit(self, hits: Sequence[Hit], places: list[str], costs: list[int]) -> list[Count]:
        told = zip(hits, costs, strict=True)
        arguments = [number for (item, _), cost in told for number in (item.get_expiry(), cost)]
        found = self._count([self._storage.prefixed_key(place) for place in places], arguments)
        now, sums, left = time.time(), found[::2], found[1::2]
        return [
            Count(total <= item.amount, max(0, item.amount - total), now + seconds)
            for (item, _), total, seconds in zip(hits, sums, left, strict=True)
        ]

    def _hit_here(self, hits: Sequence[Hit], costs: list[int]) -> list[Count]:
        found = []
        for hit, cost in zip(map(self._share, hits), costs, strict=True):
            within = self._local.hit(*hit, cost=cost)
            found.append(replace(_look(self._local, *hit), within=within))
        return found

    def _share(self, hit: Hit) -> Hit:
        item, key = hit
        amount = max(1, item.amount // self._processes)
        return type(item)(amount, item.multiples, namespace=item.namespace), key


def _noted(tally: Tally) -> Count:
    tally.noted += 1
    left = tally.count.remaining - tally.noted - tally.told
    return Count(left >= 0, max(0, left), tally.count.resets_at)


def _look(strategy: RateLimiter, item: RateLimitItem, key: str) -> Count:
    stats = strategy.get_window_stats(item, key)
    return Count(stats.remaining > 0, stats.remaining, stats.reset_time)
