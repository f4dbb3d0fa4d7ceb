"""Probes: alive says that the process answers, ready that it can do its work. Both without Flask."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from starlette.types import Scope, Send

from api.errors import Unavailable
from api.web.asgi import drain
from api.web.asgi.errors import respond
from api.web.asgi.routes import RootHandler

log = logging.getLogger(__name__)

FRESH = 1.0
"""Seconds an answer is reused: however many ask, the servers behind are asked once."""


def root_handlers(
    database: Callable[[], None], redis: Callable[[], bool], revision: str | None
) -> dict[str, RootHandler]:
    """By operation id. *database* raises when it cannot be used, *redis* tells."""
    readiness = Readiness(database, redis)
    alive = {"service": "madang", "version": version("madang"), "revision": revision}

    async def get_health(_: Scope, send: Send) -> None:
        await _ok(send, alive)

    async def get_readiness(_: Scope, send: Send) -> None:
        if drain.is_leaving():
            raise Unavailable()
        await _ok(send, await readiness.check())

    return {"get_health": get_health, "get_readiness": get_readiness}


class Readiness:
    def __init__(self, database: Callable[[], None], redis: Callable[[], bool]) -> None:
        self._database = database
        self._redis = redis
        self._lock = asyncio.Lock()
        self._known: dict[str, str] | None = None
        self._until = 0.0

    async def check(self) -> dict[str, str]:
        """How the dependencies are. Raises ``Unavailable`` without a database."""
        async with self._lock:
            if time.monotonic() >= self._until:
                self._known = await asyncio.to_thread(self._look)
                self._until = time.monotonic() + FRESH
        if self._known is None:
            raise Unavailable()
        return self._known

    def _look(self) -> dict[str, str] | None:
        try:
            self._database()
        except Exception as err:  # whatever it is, this process is not ready
            log.warning("not ready: %s", type(err).__name__)
            return None
        return {"database": "ok", "redis": "ok" if self._redis() else "degraded"}


async def _ok(send: Send, data: dict[str, Any]) -> None:
    body = json.dumps({"status": "ok", "data": data}).encode()
    await respond(send, 200, body, {"Content-Type": "application/json"})
