"""The threads that Flask runs in."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable
from threading import Event

import pytest

from api.web.asgi.threads import Threads
from tests.waiting import until

PATIENCE = 10
"""Seconds for what takes a moment."""


def name() -> str:
    return threading.current_thread().name


def names_of(crew: str) -> list[str]:
    return [each.name for each in threading.enumerate() if each.name.startswith(crew)]


async def meet(threads: Threads, number: int) -> list[str]:
    """Of so many calls at once, each in a thread of its own."""
    met = threading.Barrier(number)

    def call() -> str:
        met.wait(PATIENCE)
        return name()

    return await asyncio.gather(*(threads.run(call) for _ in range(number)))


def test_the_one_that_rested_last_works_next() -> None:
    async def main() -> set[str]:
        threads = Threads(3, "rested")
        await meet(threads, 3)
        return {await threads.run(name) for _ in range(20)}

    assert len(asyncio.run(main())) == 1


def test_no_more_threads_are_begun_than_are_needed_at_once() -> None:
    async def main() -> int:
        threads = Threads(5, "needed")
        await meet(threads, 2)
        for _ in range(10):
            await threads.run(name)
        return len(names_of("needed"))

    assert asyncio.run(main()) == 2


def test_who_finds_none_waits_in_the_order_of_coming() -> None:
    async def main() -> list[int]:
        threads = Threads(1, "few")
        done: list[int] = []
        calls: list[Callable[[], None]] = [lambda n=n: done.append(n) for n in range(20)]  # type: ignore[misc]
        await asyncio.gather(*map(threads.run, calls))
        return done

    assert asyncio.run(main()) == list(range(20))


def test_an_error_reaches_who_asked_and_the_thread_works_on() -> None:
    async def main() -> str:
        threads = Threads(1, "failing")
        with pytest.raises(ZeroDivisionError):
            await threads.run(lambda: 1 // 0)
        return await threads.run(name)

    assert asyncio.run(main()) == "failing_1"


def test_who_gives_up_does_not_stop_the_call_nor_the_thread() -> None:
    async def main() -> str:
        threads = Threads(1, "given_up")
        may_end, has_ended = Event(), Event()

        def call() -> None:
            may_end.wait(PATIENCE)
            has_ended.set()

        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await threads.run(call)
        may_end.set()
        after = await threads.run(name)
        assert has_ended.is_set()
        return after

    assert asyncio.run(main()) == "given_up_1"


def test_a_loop_that_has_ended_takes_no_thread_along() -> None:
    threads = Threads(1, "outlived")
    may_end = Event()

    async def leave() -> None:
        task = asyncio.ensure_future(threads.run(lambda: may_end.wait(PATIENCE)))
        await asyncio.sleep(0)
        task.cancel()

    asyncio.run(leave())
    may_end.set()

    async def come() -> str:
        return await threads.run(name)

    assert asyncio.run(come()) == "outlived_1"


def test_they_end_with_what_they_belong_to() -> None:
    async def main() -> None:
        await meet(Threads(2, "ending"), 2)

    asyncio.run(main())
    gc.collect()

    until(lambda: not names_of("ending"))
