"""How a worker leaves without a request being lost: its connections are told before they end."""

from __future__ import annotations

from threading import Event
from typing import Any

from gunicorn.asgi.protocol import ASGIProtocol
from gunicorn.workers.gasgi import ASGIWorker

NOTICE = 1.0
"""Seconds: longer than nearly all answers take."""

_leaving = Event()
is_leaving = _leaving.is_set


class Worker(ASGIWorker):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's own, which at SIGTERM closes connections that were promised to stay open.

    A proxy may have sent the next request by then. So for ``NOTICE`` all goes on, and each answer says
    that its connection ends with it; only then begins what gunicorn calls a graceful shutdown.
    """

    def handle_exit_signal(self) -> None:
        if not is_leaving():
            _leaving.set()
            self.loop.call_later(NOTICE, super().handle_exit_signal)


def install() -> None:
    """For gunicorn's ``post_worker_init``."""
    # A private name: there is no public way. It decides both what is announced and what is done.
    inherited = ASGIProtocol._will_close  # noqa: SLF001

    def _will_close(protocol: Any, *arguments: Any) -> bool:
        return is_leaving() or inherited(protocol, *arguments)

    ASGIProtocol._will_close = _will_close  # noqa: SLF001
