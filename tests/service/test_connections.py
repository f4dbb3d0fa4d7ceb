"""How the workers of one service share those who connect."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

import psutil
import pytest

from api.web.asgi.worker import Listener
from tests import live
from tests.waiting import until

pytestmark = pytest.mark.slow
WORKERS = 2
NONE_MORE = 3
"""Files that may be opened: those of any process at its start."""
BURSTS = 5
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
    workers = serving(server)
    # Other tests may have the processor of one of them for a while.
    fewest = [min(shares(server, workers)) for _ in range(BURSTS)]

    assert sum(fewest) >= BURSTS * BURST / 16


def shares(server: live.Server, workers: list[psutil.Process]) -> list[int]:
    """How many of a burst each of them took."""
    port = urlsplit(server.url).port
    before = [_to(each, port) for each in workers]
    with connections(server, BURST):
        until(lambda: sum(_to(each, port) for each in workers) >= sum(before) + BURST)
        after = [_to(each, port) for each in workers]
    until(lambda: sum(_to(each, port) for each in workers) <= sum(before))
    return [now - then for now, then in zip(after, before, strict=True)]


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


def test_when_no_file_can_be_opened_it_says_so_and_goes_on_once_it_can(server: live.Server) -> None:
    workers = serving(server)
    usual = [worker.rlimit(psutil.RLIMIT_NOFILE) for worker in workers]
    told = server.log.read_text().count("no connection can be taken")
    try:
        for worker, (_, most) in zip(workers, usual, strict=True):
            worker.rlimit(psutil.RLIMIT_NOFILE, (NONE_MORE, most))
        with connections(server, BURST):
            until(
                lambda: server.log.read_text().count("no connection can be taken") >= told + WORKERS
            )
    finally:
        for worker, limit in zip(workers, usual, strict=True):
            worker.rlimit(psutil.RLIMIT_NOFILE, limit)

    with server.client() as client:
        assert client.get("/healthz").status_code == 200


class Greeting(asyncio.Protocol):
    def __init__(self) -> None:
        self.ended = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        transport.write(b"welcome")
        transport.close()

    def connection_lost(self, _: Exception | None) -> None:
        self.ended.set_result(None)


@pytest.mark.parametrize("last", [BURST, 0])
def test_who_waits_when_a_worker_takes_its_leave_is_let_in(last: int) -> None:
    """The kernel would end their connections, and with them what a proxy has asked already.

    If it has no time to answer them, they are left to who else listens there.
    """
    with socket.create_server(("127.0.0.1", 0), backlog=BURST) as listening, ExitStack() as stack:
        place = listening.getsockname()
        other = stack.enter_context(listening.dup())
        waiting = [stack.enter_context(socket.create_connection(place)) for _ in range(BURST)]
        asyncio.run(listen_and_close(listening, last))

        assert [each.recv(7) for each in waiting[:last]] == [b"welcome"] * last
        for _ in waiting[last:]:
            other.accept()[0].close()


async def listen_and_close(listening: socket.socket, last: int) -> None:
    greeted: list[Greeting] = []

    def greeting() -> Greeting:
        greeted.append(Greeting())
        return greeted[-1]

    loop = asyncio.get_running_loop()
    listener = Listener(loop, greeting, listening, None, last=lambda: last)
    listener.close()
    await listener.wait_closed()
    for each in greeted:
        await each.ended


def _to(worker: psutil.Process, port: int | None) -> int:
    """Connections that it took; those to its servers have another port here."""
    return sum(
        each.status == psutil.CONN_ESTABLISHED and each.laddr.port == port
        for each in worker.net_connections("tcp")
    )
