"""Threads for what waits, of which the one that rested last works next.

``ThreadPoolExecutor`` gives each call to the thread that rested longest, whose memory is the coldest, and whoever
takes a call wakes another one for nothing, which then asks for the interpreter as well.
"""

from __future__ import annotations

import asyncio
import atexit
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any, TypeVar
from weakref import WeakSet, finalize

T = TypeVar("T")

PATIENCE = 4.0
"""Seconds for what still runs when the process ends: with the 25 that gunicorn waits, less than 30 until SIGKILL."""


@dataclass(frozen=True, slots=True)
class Call:
    run: Callable[[], Any]
    loop: asyncio.AbstractEventLoop
    answer: asyncio.Future[Any]

    @property
    def is_wanted(self) -> bool:
        return not self.answer.done()


Calls = SimpleQueue[Call | None]
"""Of one thread, which ends with None."""


class Threads:
    def __init__(self, most: int, name: str) -> None:
        self._crew = crew = _Crew(most, name)
        finalize(self, crew.end).atexit = False  # then _leave waits for them

    async def run(self, call: Callable[[], T]) -> T:
        """What *call* returns or raises. Who stops waiting for it stops it only before it has begun."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()
        self._crew.give(Call(call, loop, answer))
        try:
            return await answer
        finally:
            del answer  # an error knows this frame, which would know it


class _Crew:
    """What the threads know of each other."""

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self._all: list[tuple[Thread, Calls]] = []
        self._resting: list[Calls] = []
        self._waiting: deque[Call] = deque()
        self._lock = Lock()
        _crews.add(self)

    def give(self, call: Call) -> None:
        with self._lock:
            if self._resting:
                calls = self._resting.pop()
            elif len(self._all) < self._most:
                calls = self._begin()
            else:
                self._waiting.append(call)
                return
        calls.put(call)

    def end(self) -> None:
        for _, calls in self._all:
            calls.put(None)

    def join(self, until: float) -> None:
        for thread, _ in self._all:
            thread.join(max(0.0, until - time.monotonic()))

    def _begin(self) -> Calls:
        calls: Calls = SimpleQueue()
        name = f"{self._name}_{len(self._all) + 1}"
        thread = Thread(target=self._work, args=(calls,), name=name, daemon=True)
        thread.start()  # which may fail, and then there is none
        self._all.append((thread, calls))
        return calls

    def _work(self, calls: Calls) -> None:
        while call := calls.get():
            tell = _done(call) if call.is_wanted else None
            # Whoever hears of it may have the next one, which is then for this thread.
            self._rest(calls)
            if tell:
                with suppress(RuntimeError):  # the loop has ended, and nobody waits any more
                    call.loop.call_soon_threadsafe(_tell, call.answer, tell)
            del call, tell  # and with them the request

    def _rest(self, calls: Calls) -> None:
        with self._lock:
            if not self._waiting:
                self._resting.append(calls)
                return
            call = self._waiting.popleft()
        calls.put(call)


def _done(call: Call) -> Callable[[], None]:
    """How its outcome is told."""
    try:
        return partial(call.answer.set_result, call.run())
    except StopIteration as err:  # which no future takes
        failure = RuntimeError("StopIteration")
        failure.__cause__ = err
        return partial(call.answer.set_exception, failure)
    except BaseException as err:  # whoever waits for it is told
        return partial(call.answer.set_exception, err)
    finally:
        del call  # an error knows this frame, which would know it


def _tell(answer: asyncio.Future[Any], tell: Callable[[], None]) -> None:
    if not answer.done():
        tell()


_crews: WeakSet[_Crew] = WeakSet()


@atexit.register
def _leave() -> None:
    """Daemons would be stopped anywhere: between a commit and what has to be told of it, too."""
    until = time.monotonic() + PATIENCE
    crews = list(_crews)
    for crew in crews:
        crew.end()
    for crew in crews:
        crew.join(until)
