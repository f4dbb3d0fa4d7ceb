"""gunicorn's ASGI worker, but for how it takes connections and how it takes its leave."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from socket import socket
from ssl import SSLContext
from typing import Any

from gunicorn.workers.gasgi import ASGIWorker

from api.web.asgi import drain

log = logging.getLogger(__name__)

AT_ONCE = 8
"""Connections of those that wait already."""
PAUSE = 0.001
"""Seconds in which the next ones are another worker's."""
MOST = 2048
"""Connections that the kernel lets wait, by gunicorn's ``backlog``."""
REST = 1.0
"""Seconds when no more files can be opened."""


class Worker(ASGIWorker):  # type: ignore[misc]  # gunicorn has no types
    """Takes a few connections at a time, and goes only when it has said so."""

    async def _serve(self) -> None:
        self.loop.create_server = self._listen
        await super()._serve()

    async def _listen(
        self, factory: Any, *, sock: socket, ssl: SSLContext | None = None, **_: Any
    ) -> Listener:
        return Listener(self.loop, factory, sock, ssl)

    def handle_exit_signal(self) -> None:
        drain.begin(self.loop, super().handle_exit_signal)


class Listener:
    """In place of asyncio's server, which takes up to a hundred connections at once.

    Of those who come together one worker would have all, for as long as they stay connected, and the others
    nothing to do. It would also cut the kernel's queue to a hundred; who comes then tries again after a second.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        factory: Any,
        listening: socket,
        ssl: SSLContext | None,
    ) -> None:
        self._loop = loop
        self._factory = factory
        self._listening = listening
        self._ssl = ssl
        self._beginning: set[asyncio.Task[Any]] = set()
        self._rest: asyncio.TimerHandle | None = None
        listening.setblocking(False)  # noqa: FBT003
        self._look()

    def close(self) -> None:
        """Lets in whoever waits: else the kernel ends their connections, with what they have asked already."""
        if self._rest:
            self._rest.cancel()
        self._loop.remove_reader(self._listening)
        with suppress(OSError):
            self._accept(MOST)
        self._listening.close()

    async def wait_closed(self) -> None:
        """Until all of them count as connected, and are waited for."""
        if self._beginning:
            await asyncio.wait(self._beginning)

    def _look(self) -> None:
        self._loop.add_reader(self._listening, self._take)

    def _look_after(self, seconds: float) -> None:
        self._loop.remove_reader(self._listening)
        self._rest = self._loop.call_later(seconds, self._look)

    def _take(self) -> None:
        try:
            self._accept(AT_ONCE)
            self._look_after(PAUSE)
        except OSError as err:
            log.error("no connection can be taken: %s", err.strerror)
            self._look_after(REST)

    def _accept(self, most: int) -> None:
        with suppress(BlockingIOError, InterruptedError, ConnectionAbortedError):
            for _ in range(most):
                connection, _ = self._listening.accept()
                connection.setblocking(False)  # noqa: FBT003
                self._begin(connection)

    def _begin(self, connection: socket) -> None:
        """Beside the others, since with TLS it waits for what the client says."""
        made = self._loop.connect_accepted_socket(self._factory, connection, ssl=self._ssl)
        task = self._loop.create_task(made)
        self._beginning.add(task)
        task.add_done_callback(self._begun)

    def _begun(self, task: asyncio.Task[Any]) -> None:
        self._beginning.discard(task)
        if not task.cancelled() and (err := task.exception()):
            log.info("a connection did not begin: %s", type(err).__name__)
