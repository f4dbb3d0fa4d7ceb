"""As many at a time as there are threads, a few who wait, and the rest is turned away at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from starlette.types import Receive, Scope, Send

from api import app
from api.web.asgi.queue import LONG, PROMPT, SLOW, Bounds, Door, Queue, Queued, TurnedAway
from tests.web.asgi.crowds import Slow, settle, start

THREADS, ORDINARY = 10, 8
READ, LOG_IN, BLOCK, PROBE = "list_posts", "log_in", "block_user", "get_health"


class Yard:
    """A service that can do ten things at a time."""

    def __init__(self, threads: int = THREADS) -> None:
        self.work = Slow()
        self.queue = Queue(threads)
        self.app = Door(Queued(self.work, self.queue), self.queue)
        self.tasks: list[asyncio.Task[None]] = []

    async def ask(self, operation: str, times: int = 1) -> list[asyncio.Task[None]]:
        new = [start(self.app, operation) for _ in range(times)]
        self.tasks += new
        await settle()
        return new

    async def finish(self) -> list[BaseException | None]:
        self.work.stop.set()
        return await asyncio.gather(*self.tasks, return_exceptions=True)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """It stands, however slow this machine is."""
    clock = Clock()
    monkeypatch.setattr("api.web.asgi.queue.time", clock)
    return clock


async def cancelled(tasks: list[asyncio.Task[None]]) -> None:
    for each in tasks:
        each.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def played(act: Callable[[Yard], Awaitable[None]]) -> None:
    async def play() -> None:
        yard = Yard()
        await act(yard)
        await yard.finish()
        # Every place is free again.
        again = Yard()
        again.queue = yard.queue
        again.app = Door(Queued(again.work, yard.queue), yard.queue)
        await again.ask(LOG_IN, THREADS)
        assert again.work.inside == THREADS
        assert await again.finish() == [None] * THREADS

    asyncio.run(play())


def test_one_of_the_threads_of_a_process_is_kept() -> None:
    async def play() -> None:
        yard = Yard(app.THREADS)
        await yard.ask(READ, app.THREADS + 5)
        assert yard.work.inside == app.THREADS - 1
        await yard.ask(BLOCK)
        assert yard.work.inside == app.THREADS
        await yard.finish()

    asyncio.run(play())


def test_who_logs_in_and_who_keeps_order_always_find_a_place() -> None:
    async def act(yard: Yard) -> None:
        await yard.ask(READ, THREADS + 5)
        assert yard.work.inside == ORDINARY
        await yard.ask(LOG_IN)
        await yard.ask(BLOCK)
        assert yard.work.inside == THREADS

    played(act)


def test_a_few_wait_and_the_rest_is_turned_away_at_once() -> None:
    async def act(yard: Yard) -> None:
        await yard.ask(READ, ORDINARY + PROMPT.longest)
        [late] = await yard.ask(READ)
        assert isinstance(late.exception(), TurnedAway)
        assert not any(task.done() for task in yard.tasks[:-1])
        outcomes = await yard.finish()
        assert outcomes[:-1] == [None] * (ORDINARY + PROMPT.longest)

    played(act)


def test_a_full_queue_is_seen_at_the_door(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before a token is verified or a body is read."""

    async def act(yard: Yard) -> None:
        await yard.ask(READ, ORDINARY + PROMPT.longest)
        seen = []

        async def inside(scope: Scope, receive: Receive, send: Send) -> None:
            seen.append(scope)

        yard.app = Door(inside, yard.queue)
        [late] = await yard.ask(READ)
        assert isinstance(late.exception(), TurnedAway)
        await yard.ask(LOG_IN)
        await yard.ask(PROBE)
        assert len(seen) == 2

    played(act)


def test_nobody_waits_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.web.asgi.queue.PROMPT", Bounds(5, 0.05))

    async def act(yard: Yard) -> None:
        await yard.ask(READ, ORDINARY)
        [late] = await yard.ask(READ)
        with pytest.raises(TurnedAway):
            await late

    assert SLOW.patience < PROMPT.patience < 3
    played(act)


def test_a_queue_is_shorter_when_somebody_waited_long(clock: Clock) -> None:
    async def act(yard: Yard) -> None:
        await yard.ask(READ, ORDINARY + SLOW.longest)
        clock.now += LONG
        assert not yard.queue.is_full(spared=False)
        clock.now += 0.01
        assert yard.queue.is_full(spared=False)
        assert not yard.queue.is_full(spared=True)
        await yard.finish()
        assert not yard.queue.is_full(spared=False)

    played(act)


def test_a_queue_that_never_ends_may_be_long_while_it_moves_on(clock: Clock) -> None:
    async def act(yard: Yard) -> None:
        await yard.ask(READ, ORDINARY)
        early = await yard.ask(READ, SLOW.longest)
        clock.now += LONG
        await yard.ask(READ, SLOW.longest)
        await cancelled(early)

        clock.now += LONG
        assert not yard.queue.is_full(spared=False)
        clock.now += 0.01
        assert yard.queue.is_full(spared=False)

    played(act)


def test_one_that_was_slow_stays_short_until_nobody_waits(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would be long again as soon as it moves on, and those at its end wait as long as the others did."""
    monkeypatch.setattr("api.web.asgi.queue.SLOW", Bounds(SLOW.longest, 60))

    async def act(yard: Yard) -> None:
        await yard.ask(READ, ORDINARY)
        early = await yard.ask(READ, SLOW.longest)
        clock.now += LONG + 0.01
        assert yard.queue.is_full(spared=False)
        await cancelled(early[:-1])
        clock.now += 0.01
        late = await yard.ask(READ, SLOW.longest - 1)
        await cancelled(early[-1:])
        late += await yard.ask(READ)
        assert yard.queue.is_full(spared=False)

        await cancelled(late)
        await yard.ask(READ, SLOW.longest)
        assert not yard.queue.is_full(spared=False)

    played(act)


@pytest.mark.parametrize("operation", [READ, LOG_IN])
def test_one_who_leaves_while_waiting_leaves_no_trace(operation: str) -> None:
    async def act(yard: Yard) -> None:
        await yard.ask(READ, ORDINARY)
        await yard.ask(LOG_IN, THREADS - ORDINARY)
        gone = await yard.ask(operation, 3)
        await cancelled(gone)
        assert not yard.queue.is_full(spared=False)
        assert yard.work.inside == THREADS

    played(act)


def test_one_who_fails_gives_the_place_back() -> None:
    async def fails(scope: Scope, receive: Receive, send: Send) -> None:
        raise ValueError

    async def act(yard: Yard) -> None:
        yard.app = Door(Queued(fails, yard.queue), yard.queue)
        for task in await yard.ask(READ, THREADS):
            assert isinstance(task.exception(), ValueError)

    played(act)
