"""Lets in as many requests as there are threads, makes a few wait, and turns the rest away at once.

More waiting would only make everybody late: what waited too long was given up by its caller and would be
worked on all the same. So it is refused, where refusing costs least. Many who come at once are no overload:
as long as nobody waits long there may be many of them (compare "CoDel", RFC 8289).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.types import ASGIApp, Receive, Scope, Send

from api.errors import Overloaded
from api.web import context


@dataclass(frozen=True, slots=True)
class Bounds:
    longest: int
    """How many may wait."""
    patience: float
    """Seconds that one may wait, where the work takes longer."""


PROMPT = Bounds(192, 2.0)
"""Of a queue in which nobody waits long: many who come at once are served within two seconds, and then nobody waits."""
SLOW = Bounds(24, 0.5)
"""Of one in which somebody does: whoever is let in as well waits longer."""
LONG = 0.6
"""Seconds that the first of them has waited, from which on a queue is slow.

What nginx passes on at once (max_conns) is served sooner: it refuses the rest for a tenth of what it costs here.
"""
RESERVED = 0.2
"""The share of the threads that is kept for who logs in and for who keeps order."""
SPARED = frozenset(["Auth", "Admin"])
"""The tags of their operations."""


Places = Sequence[asyncio.Semaphore]


class TurnedAway(Overloaded):
    """Nothing was done for this request, so nothing is charged for it."""


class Queue:
    """What the threads of one process can take, for ordinary requests and for those that are spared."""

    def __init__(self, threads: int) -> None:
        self._places = asyncio.Semaphore(threads)
        self._ordinary = asyncio.Semaphore(threads - round(threads * RESERVED))
        self._waiting: dict[bool, dict[object, float]] = {True: {}, False: {}}
        """When each of those who wait came, who came first before the others."""

    def is_full(self, *, spared: bool) -> bool:
        return len(self._waiting[spared]) >= self._bounds(spared=spared).longest

    def _bounds(self, *, spared: bool) -> Bounds:
        now = time.monotonic()
        first = next(iter(self._waiting[spared].values()), now)
        return SLOW if now - first > LONG else PROMPT

    async def enter(self, *, spared: bool) -> Places:
        """What is to be given back to ``leave``. Raises ``TurnedAway`` when there is no place in time."""
        wanted = (self._places,) if spared else (self._ordinary, self._places)
        if self._places.locked() or wanted[0].locked():
            await self._wait(wanted, spared=spared)
        else:
            for each in wanted:  # which suspends nobody
                await each.acquire()
        return wanted

    @staticmethod
    def leave(had: Places) -> None:
        for each in had:
            each.release()

    async def _wait(self, wanted: Places, *, spared: bool) -> None:
        if self.is_full(spared=spared):
            raise TurnedAway()
        had: list[asyncio.Semaphore] = []
        patience = self._bounds(spared=spared).patience
        me = object()
        self._waiting[spared][me] = time.monotonic()
        try:
            async with asyncio.timeout(patience):
                for each in wanted:
                    await each.acquire()
                    had.append(each)
        except BaseException as err:  # also when the caller left
            self.leave(had)
            if isinstance(err, TimeoutError):
                raise TurnedAway() from err
            raise
        finally:
            del self._waiting[spared][me]


class Door:
    """Turns away whoever would find the queue full, before anything is spent on them."""

    def __init__(self, app: ASGIApp, queue: Queue) -> None:
        self.app = app
        self.queue = queue

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        operation = context.operation()
        if not operation.is_root and self.queue.is_full(spared=operation.tag in SPARED):
            raise TurnedAway()
        await self.app(scope, receive, send)


class Queued:
    """Has a place while it is worked on."""

    def __init__(self, app: ASGIApp, queue: Queue) -> None:
        self.app = app
        self.queue = queue

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        places = await self.queue.enter(spared=context.operation().tag in SPARED)
        try:
            await self.app(scope, receive, send)
        finally:
            self.queue.leave(places)
