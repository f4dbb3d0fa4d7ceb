"""Only so many password hashes at a time: the others wait a little, and then are sent away."""

from __future__ import annotations

import asyncio
import time

import pytest
from starlette.types import Receive, Scope, Send

from api.errors import Overloaded
from api.infra.passwords import AT_ONCE
from api.web.asgi.gate import PATIENCE, Gate
from tests.web.asgi.crowds import Slow, settle, start


def test_so_many_hash_and_the_next_one_waits() -> None:
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
        assert time.monotonic() - started > PATIENCE * 0.9
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
