"""Charges what is refused before Flask to the same rate limits as everything else."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Receive, Scope, Send

from api.web import context
from api.web.asgi.queue import TurnedAway
from api.web.limits import Limits


class ChargeRefusals:
    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self.app = app
        self.limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A refusal stays what it is until a bucket is empty; then it is ``RateLimited``."""
        try:
            await self.app(scope, receive, send)
        except TurnedAway:  # charging would cost more than the refusal
            raise
        except Exception:  # a bug costs its caller as much as anything else
            await asyncio.to_thread(self.limits.charge, context.current())
            raise
