"""How the workers of one service share those who connect."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

import psutil
import pytest

from tests import live
from tests.waiting import until

pytestmark = pytest.mark.slow
WORKERS = 2
BURST = 40
MANY = 300
"""More than asyncio lets wait by itself."""


@contextmanager
def connections(server: live.Server, number: int) -> Iterator[list[socket.socket]]:
    parts = urlsplit(server.url)
    with ExitStack() as stack:
        yield [
            stack.enter_context(socket.create_connection((parts.hostname, parts.port), 0.5))
            for _ in range(number)
        ]


def serving(server: live.Server) -> list[psutil.Process]:
    """Its workers, once all of them listen."""
    until(lambda: server.log.read_text().count("ASGI server listening") >= WORKERS)
    children = psutil.Process(server.process.pid).children()
    return [each for each in children if "gunicorn" in " ".join(each.cmdline())]


def test_who_comes_together_is_shared_by_the_workers(server: live.Server) -> None:
    """Connections are kept for long: a worker that has none does nothing while the other has too much to do."""
    port = urlsplit(server.url).port
    workers = serving(server)
    before = {worker.pid: _to(worker, port) for worker in workers}

    with connections(server, BURST):
        until(lambda: sum(_to(each, port) - before[each.pid] for each in workers) == BURST)

        assert min(_to(each, port) - before[each.pid] for each in workers) >= BURST / 8


def test_hundreds_may_come_while_nobody_has_time(server: live.Server) -> None:
    workers = serving(server)
    for worker in workers:
        worker.suspend()
    try:
        with connections(server, MANY) as made:
            assert len(made) == MANY
    finally:
        for worker in workers:
            worker.resume()


def _to(worker: psutil.Process, port: int | None) -> int:
    """Connections that it took; those to its servers have another port here."""
    return sum(
        each.status == psutil.CONN_ESTABLISHED and each.laddr.port == port
        for each in worker.net_connections("tcp")
    )
