"""Repeats of one request wait for each other here, where waiting is cheap, and not each in a thread with a connection.

Those of other processes still meet on the row of their ``Idempotency-Key``: one of each process.
"""

from __future__ import annotations

import asyncio
from weakref import WeakValueDictionary

from starlette.types import ASGIApp, Receive, Scope, Send

from api.web import context, idempotency
from api.web.asgi.headers import first

PATIENCE = idempotency.LONGEST_WAIT / 1000
"""Seconds."""


class Turns:
    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._locks: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises ``RequestInProgress``."""
        is_asked = context.operation().policy.idempotent
        key = first(scope, idempotency.HEADER.lower().encode()) if is_asked else None
        if key is None:
            await self.app(scope, receive, send)
            return
        request = context.current()
        lock = self._locks.setdefault(
            (str(request.api_key or request.user_id), key), asyncio.Lock()
        )
        try:
            async with asyncio.timeout(PATIENCE):
                await lock.acquire()
        except TimeoutError as err:
            raise idempotency.RequestInProgress() from err
        try:
            await self.app(scope, receive, send)
        finally:
            lock.release()
