"""Lets in as many requests as there are threads, makes a few wait, and turns the rest away at once.

More waiting would only make everybody late: what waited too long was given up by its caller and would be
worked on all the same. So it is refused, where refusing costs least. Many who come at once are no overload:
as long as the queue ends now and then it may be long (compare "CoDel", RFC 8289).
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


BURST = Bounds(192, 2.0)
"""For many who come at once: they are served within two seconds, and then nobody waits."""
STANDING = Bounds(24, 0.5)
"""For a queue that does not end: whoever waits in a long one only waits longer."""
STANDS = 0.25
"""Seconds after which a queue that was never empty counts as one that does not end.

At three times what can be served it has grown by then to some three times as many seconds of work.
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
        self._waiting = {True: 0, False: 0}
        self._since = {True: 0.0, False: 0.0}
        """When the first of those who wait came."""

    def is_full(self, *, spared: bool) -> bool:
        return self._waiting[spared] >= self._bounds(spared=spared).longest

    def _bounds(self, *, spared: bool) -> Bounds:
        waits = self._waiting[spared] and time.monotonic() - self._since[spared]
        return STANDING if waits > STANDS else BURST

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
        if not self._waiting[spared]:
            self._since[spared] = time.monotonic()
        patience = self._bounds(spared=spared).patience
        self._waiting[spared] += 1
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
            self._waiting[spared] -= 1


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
