"""How a worker leaves without a request being lost: its connections are told before they end."""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections.abc import Callable
from threading import Event
from typing import Any
from weakref import WeakSet

from gunicorn.asgi.protocol import ASGIProtocol

NOTICE = 1.0
"""Seconds: longer than nearly all answers take."""
IDLE = 6.0
"""Seconds after the notice in which a proxy ends its idle connections itself (nginx/nginx.conf: after 5)."""

_connections: WeakSet[ASGIProtocol] = WeakSet()
_leaving = Event()
is_leaving = _leaving.is_set


def begin(loop: AbstractEventLoop, shut_down: Callable[[], None]) -> None:
    """At SIGTERM, where gunicorn would close connections that were promised to stay open.

    A proxy may have sent the next request by then. So for ``NOTICE`` all goes on, and each answer says
    that its connection ends with it; only then begins what gunicorn calls a graceful shutdown. That would
    wait for connections on which nobody asks anything, so these are ended after ``IDLE``.
    """
    if not is_leaving():
        _leaving.set()
        loop.call_later(NOTICE, shut_down)
        loop.call_later(NOTICE + IDLE, _end_idle_connections)


def _end_idle_connections() -> None:
    # Private names: there is no public way.
    for connection in list(_connections):
        if connection._awaiting_request:  # noqa: SLF001
            connection._close_transport()  # noqa: SLF001


def install() -> None:
    """For gunicorn's ``post_worker_init``."""
    # A private name: there is no public way. It decides both what is announced and what is done.
    inherited = ASGIProtocol._will_close  # noqa: SLF001
    made = ASGIProtocol.connection_made

    def _will_close(protocol: Any, *arguments: Any) -> bool:
        return is_leaving() or inherited(protocol, *arguments)

    def connection_made(protocol: Any, transport: Any) -> None:
        _connections.add(protocol)
        made(protocol, transport)

    ASGIProtocol._will_close = _will_close  # noqa: SLF001
    ASGIProtocol.connection_made = connection_made
