"""Lets in as many requests as there are threads, makes a few wait, and turns the rest away at once.

More waiting would only make everybody late: what waited too long was given up by its caller and would be
worked on all the same. So it is refused, where refusing costs least. Many who come at once are no overload:
as long as nobody waited long there may be many of them (compare "CoDel", RFC 8289).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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


PROMPT = Bounds(96, 2.0)
"""Of a queue in which nobody waited long: many who come at once are served soon, and then nobody waits."""
SLOW = Bounds(24, 0.5)
"""Of one in which somebody did, until nobody waits: whoever is let in as well waits longer."""
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


class Line:
    """Those who wait, who came first before the others."""

    def __init__(self) -> None:
        self._since: dict[object, float] = {}
        self._is_slow = False

    def bounds(self) -> Bounds:
        """Slow since somebody waited long, until nobody waits: else it would fill up again as soon as it moves."""
        now = time.monotonic()
        if now - next(iter(self._since.values()), now) > LONG:
            self._is_slow = True
        return SLOW if self._is_slow else PROMPT

    def is_full(self) -> bool:
        return len(self._since) >= self.bounds().longest

    @contextmanager
    def waiting(self) -> Iterator[None]:
        me = object()
        self._since[me] = time.monotonic()
        try:
            yield
        finally:
            del self._since[me]
            self._is_slow &= bool(self._since)


class Queue:
    """What the threads of one process can take, for ordinary requests and for those that are spared."""

    def __init__(self, threads: int) -> None:
        self._places = asyncio.Semaphore(threads)
        self._ordinary = asyncio.Semaphore(threads - round(threads * RESERVED))
        self._lines = {True: Line(), False: Line()}
        """By whether they are spared."""

    def is_full(self, *, spared: bool) -> bool:
        return self._lines[spared].is_full()

    async def enter(self, *, spared: bool) -> Places:
        """What is to be given back to ``leave``. Raises ``TurnedAway`` when there is no place in time."""
        wanted = (self._places,) if spared else (self._ordinary, self._places)
        if self._places.locked() or wanted[0].locked():
            await self._wait(wanted, self._lines[spared])
        else:
            for each in wanted:  # which suspends nobody
                await each.acquire()
        return wanted

    @staticmethod
    def leave(had: Places) -> None:
        for each in had:
            each.release()

    async def _wait(self, wanted: Places, line: Line) -> None:
        if line.is_full():
            raise TurnedAway()
        had: list[asyncio.Semaphore] = []
        try:
            with line.waiting():
                async with asyncio.timeout(line.bounds().patience):
                    for each in wanted:
                        await each.acquire()
                        had.append(each)
        except BaseException as err:  # also when the caller left
            self.leave(had)
            if isinstance(err, TimeoutError):
                raise TurnedAway() from err
            raise


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
