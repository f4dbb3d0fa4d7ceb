"""Only so many password hashes at a time: the others wait a little, and then are sent away."""

from __future__ import annotations

import asyncio
import time
from contextvars import copy_context

import pytest
from starlette.types import Receive, Scope, Send

from api.errors import Overloaded
from api.infra.passwords import AT_ONCE
from api.infra.tracing import Span
from api.web import context
from api.web.asgi.gate import PATIENCE, Gate
from api.web.context import RequestContext
from tests.spec import CONTRACT


class Slow:
    """An application that works until it is told to stop, and knows how many are at it."""

    def __init__(self) -> None:
        self.inside, self.most = 0, 0
        self.stop = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.inside += 1
        self.most = max(self.most, self.inside)
        await self.stop.wait()
        self.inside -= 1


def start(gate: Gate, operation: str) -> asyncio.Task[None]:
    def begin() -> asyncio.Task[None]:
        known = CONTRACT.operations[operation]
        context.enter(RequestContext("request", Span("trace", "span"), "ip", operation=known))
        return asyncio.ensure_future(gate({}, None, None))  # type: ignore[arg-type]

    return copy_context().run(begin)


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def test_four_hash_and_the_fifth_waits() -> None:
    async def play() -> None:
        app = Slow()
        gate = Gate(app)
        tasks = [start(gate, "log_in") for _ in range(AT_ONCE + 1)]
        await settle()
        assert app.inside == AT_ONCE
        app.stop.set()
        await asyncio.gather(*tasks)
        assert app.most == AT_ONCE

    asyncio.run(play())


def test_whoever_waits_too_long_is_sent_away() -> None:
    async def play() -> None:
        app = Slow()
        gate = Gate(app)
        tasks = [start(gate, "sign_up") for _ in range(AT_ONCE)]
        await settle()
        started = time.monotonic()
        with pytest.raises(Overloaded):
            await start(gate, "log_in")
        assert PATIENCE * 0.9 < time.monotonic() - started < PATIENCE * 2
        app.stop.set()
        await asyncio.gather(*tasks)
        await start(gate, "log_in")  # the places are free again

    asyncio.run(play())


def test_what_hashes_nothing_never_waits() -> None:
    async def play() -> None:
        app = Slow()
        gate = Gate(app)
        tasks = [start(gate, "list_posts") for _ in range(AT_ONCE * 5)]
        await settle()
        assert app.inside == AT_ONCE * 5
        app.stop.set()
        await asyncio.gather(*tasks)

    asyncio.run(play())


def test_a_failure_gives_its_place_back() -> None:
    async def fails(scope: Scope, receive: Receive, send: Send) -> None:
        raise ZeroDivisionError

    async def play() -> None:
        gate = Gate(fails)
        for _ in range(AT_ONCE * 3):
            with pytest.raises(ZeroDivisionError):
                await start(gate, "log_in")

    asyncio.run(play())
