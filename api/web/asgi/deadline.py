"""No answer comes later than this, whatever hangs behind.

A server that is stopped keeps its connections open and silent: no timeout of a driver sees it, and the
statement's own limit runs in that server. The thread that waits for it stays lost until then.
"""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Receive, Scope, Send

from api.errors import TimedOut

SECONDS = 5.0


class Deadline:
    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises ``TimedOut``."""
        limit = asyncio.timeout(SECONDS)
        try:
            async with limit:
                await self.app(scope, receive, send)
        except TimeoutError as err:
            if not limit.expired():
                raise
            raise TimedOut() from err
