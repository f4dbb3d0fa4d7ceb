"""Lets only so many requests be busy with passwords, so that logins cannot take every thread."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Receive, Scope, Send

from api.errors import Overloaded
from api.infra.passwords import AT_ONCE
from api.web import context

PATIENCE = 1.0
"""Seconds a request waits for its turn, on the event loop where waiting is cheap."""


class Gate:
    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._places = asyncio.Semaphore(AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not context.operation().policy.hashes_password:
            await self.app(scope, receive, send)
            return
        try:
            await asyncio.wait_for(self._places.acquire(), PATIENCE)
        except TimeoutError as err:
            raise Overloaded() from err
        try:
            await self.app(scope, receive, send)
        finally:
            self._places.release()
