"""The threads that Flask runs in."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from threading import Event

import pytest

from api.web.asgi.threads import Threads
from tests.live import ROOT
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


def test_no_future_takes_a_stop_iteration_so_it_is_another_error() -> None:
    async def main() -> None:
        with pytest.raises(RuntimeError, match="StopIteration"):
            async with asyncio.timeout(PATIENCE):
                await Threads(1, "stopping").run(lambda: next(iter([])))

    asyncio.run(main())


@pytest.mark.parametrize("fails", [False, True])
def test_nothing_of_a_request_is_kept_once_it_is_answered(*, fails: bool) -> None:
    class Request:
        pass

    def handle(_: Request) -> None:
        if fails:
            raise ValueError

    async def main() -> None:
        request = Request()
        known = weakref.ref(request)
        threads = Threads(1, "forgetful")
        with suppress(ValueError):
            await threads.run(partial(handle, request))
        del request
        await asyncio.sleep(0)  # so that the loop has done with it as well
        until(lambda: known() is None, patience=PATIENCE)

    gc.disable()  # which would find cycles as well
    try:
        asyncio.run(main())
    finally:
        gc.enable()


def test_what_was_given_up_before_it_began_is_not_done() -> None:
    async def main() -> list[str]:
        threads = Threads(1, "dropping")
        may_end = Event()
        done: list[str] = []
        first = asyncio.ensure_future(threads.run(lambda: may_end.wait(PATIENCE)))
        given_up = asyncio.ensure_future(threads.run(lambda: done.append("given up")))
        wanted = asyncio.ensure_future(threads.run(lambda: done.append("wanted")))
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.sleep(0)
        may_end.set()
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(first, wanted)
        return done

    assert asyncio.run(main()) == ["wanted"]


def test_a_thread_that_cannot_begin_takes_nobodys_place(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> str:
        threads = Threads(1, "begun")
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", refuse)
            with pytest.raises(RuntimeError, match="can't start"):
                await threads.run(name)
        async with asyncio.timeout(PATIENCE):
            return await threads.run(name)

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    assert asyncio.run(main()) == "begun_1"


ENDING = """
import asyncio, os
from threading import Event
from api.web.asgi.threads import Threads

def call():
    begun.set()
    os.read(0, 1)
    print("done", flush=True)

async def main():
    task = asyncio.ensure_future(threads.run(call))
    await asyncio.to_thread(begun.wait)
    task.cancel()

begun = Event()
threads = Threads(1, "ending")
asyncio.run(main())
print("left", flush=True)
"""


def test_what_has_begun_is_done_before_the_process_ends() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", ENDING], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stdout.readline() == b"left\n"
        process.stdin.write(b".")
        process.stdin.close()
        assert process.stdout.read() == b"done\n"
    assert process.returncode == 0


async def given_up(threads: Threads, may_end: Event) -> Event:
    """Of a call that has begun; set when that ends."""
    has_begun, has_ended = Event(), Event()

    def call() -> None:
        has_begun.set()
        may_end.wait(PATIENCE)
        has_ended.set()

    task = asyncio.ensure_future(threads.run(call))
    assert await asyncio.to_thread(has_begun.wait, PATIENCE)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    return has_ended


def test_who_gives_up_does_not_stop_the_call_nor_the_thread() -> None:
    async def main() -> str:
        threads = Threads(1, "given_up")
        faults: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, told: faults.append(told))
        may_end = Event()
        has_ended = await given_up(threads, may_end)
        may_end.set()
        async with asyncio.timeout(PATIENCE):
            after = await threads.run(name)
        assert has_ended.is_set()
        assert not faults
        return after

    assert asyncio.run(main()) == "given_up_1"


def test_a_loop_that_has_ended_takes_no_thread_along() -> None:
    threads = Threads(1, "outlived")
    may_end = Event()
    has_ended = asyncio.run(given_up(threads, may_end))
    may_end.set()
    assert has_ended.wait(PATIENCE)

    async def come() -> str:
        async with asyncio.timeout(PATIENCE):
            return await threads.run(name)

    assert asyncio.run(come()) == "outlived_1"


def test_they_end_with_what_they_belong_to() -> None:
    async def main() -> None:
        await meet(Threads(2, "ending"), 2)

    asyncio.run(main())
    gc.collect()

    until(lambda: not names_of("ending"))
