"""Requests that are under way at the same time, in a part of the pipeline."""

from __future__ import annotations

import asyncio
from contextvars import copy_context

from starlette.types import ASGIApp, Receive, Scope, Send

from api.infra.tracing import Span
from api.web import context
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


def start(app: ASGIApp, operation: str) -> asyncio.Task[None]:
    def begin() -> asyncio.Task[None]:
        known = CONTRACT.operations[operation]
        context.enter(RequestContext("request", Span("trace", "span"), "ip", operation=known))
        return asyncio.ensure_future(app({}, None, None))  # type: ignore[arg-type]

    return copy_context().run(begin)


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)
