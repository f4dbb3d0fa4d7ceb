"""gunicorn's ASGI worker, but for how it takes connections and how it takes its leave."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable
from socket import socket
from ssl import SSLContext
from typing import Any

from gunicorn.workers.gasgi import ASGIWorker

from api.web.asgi import drain

log = logging.getLogger(__name__)

AT_ONCE = 8
"""Connections that are taken together where many wait; the first time one, then two, four, and so on."""
PAUSE = 0.001
"""Seconds in which the next ones are another worker's."""
ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
"""By which gunicorn, a platform and a terminal tell it to go."""
REST = 1.0
"""Seconds when no more files can be opened."""


class Worker(ASGIWorker):  # type: ignore[misc]  # gunicorn has no types
    """Takes a few connections at a time, and goes only when it has said so."""

    def init_process(self) -> None:
        _end_at_once()
        super().init_process()

    def init_signals(self) -> None:
        """Until the loop runs, uvloop's handlers hear nothing, and nothing was begun that could be finished."""
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
        super().init_signals()
        _end_at_once()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)

    async def _serve(self) -> None:
        super().init_signals()
        self.loop.create_server = self._listen
        await super()._serve()

    async def _listen(
        self, factory: Any, *, sock: socket, ssl: SSLContext | None = None, **_: Any
    ) -> Listener:
        return Listener(self.loop, factory, sock, ssl, last=self._last)

    def _last(self) -> int:
        """How many connections it takes before it stops listening: all that wait, if it has time to answer them."""
        return self.cfg.backlog if drain.is_leaving() and not self._quick_shutdown else 0

    def handle_exit_signal(self) -> None:
        drain.begin(self.loop, super().handle_exit_signal)


def _end_at_once() -> None:
    """At any of these signals, and with no copy of the memory: by default SIGQUIT leaves one, and secrets are in it."""
    for each in ENDING:
        signal.signal(each, lambda *_: os._exit(0))


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
        *,
        last: Callable[[], int],
    ) -> None:
        self._loop = loop
        self._factory = factory
        self._listening = listening
        self._ssl = ssl
        self._last = last
        self._beginning: set[asyncio.Task[Any]] = set()
        self._pause: asyncio.TimerHandle | None = None
        self._next = 1
        """How many are taken the next time."""
        listening.setblocking(False)  # noqa: FBT003
        self._look()

    def close(self) -> None:
        """Lets in whoever waits.

        If nobody else listens there, the kernel ends their connections, with what they have asked already.
        """
        if self._pause:
            self._pause.cancel()
        self._loop.remove_reader(self._listening)
        self._try_to_accept(self._last())
        self._listening.close()

    async def wait_closed(self) -> None:
        """Until all of them count as connected, and are waited for; gunicorn gives them half a second."""
        if self._beginning:
            await asyncio.wait(self._beginning)

    def _look(self) -> None:
        self._loop.add_reader(self._listening, self._take)

    def _take(self) -> None:
        self._loop.remove_reader(self._listening)
        taken = self._try_to_accept(self._next)
        if taken is None:
            self._pause = self._loop.call_later(REST, self._look)
            return
        may_be_more = taken == self._next
        self._next = min(self._next * 2, AT_ONCE) if may_be_more else 1
        self._pause = self._loop.call_later(PAUSE, self._take if may_be_more else self._look)

    def _try_to_accept(self, most: int) -> int | None:
        """How many there were; None when no more files can be opened."""
        try:
            return self._accept(most)
        except OSError as err:
            log.error("no connection can be taken: %s", err.strerror)
            return None

    def _accept(self, most: int) -> int:
        taken = 0
        while taken < most:
            try:
                connection, _ = self._listening.accept()
            except (InterruptedError, ConnectionAbortedError):
                continue
            except BlockingIOError:
                break
            connection.setblocking(False)  # noqa: FBT003
            self._begin(connection)
            taken += 1
        return taken

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
