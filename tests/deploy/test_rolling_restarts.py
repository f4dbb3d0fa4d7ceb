"""Two hosts behind the deployed nginx are restarted in turn while people go on: nobody notices.

    ROLLING_RESTARTS=10 ROLLING_REQUESTS=20000 ./scripts/test -m slow tests/deploy/test_rolling_restarts.py -s

As part of all tests it is shorter.
"""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPConnection, HTTPException
from itertools import count, cycle
from pathlib import Path
from threading import Event, Thread
from urllib.parse import urlsplit

import pytest

from tests import live, nginx
from tests.people import People
from tests.waiting import PATIENCE

pytestmark = pytest.mark.slow
RESTARTS = int(os.environ.get("ROLLING_RESTARTS") or 2)
REQUESTS = int(os.environ.get("ROLLING_REQUESTS") or 1_000)
CALLERS = 8
POST = json.dumps({"title": "마당", "body": "While it restarts.", "is_published": True}).encode()
PATCH = json.dumps({"title": "꽃"}).encode()


class Host:
    """A gunicorn that comes back on its port."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        self.environment = environment
        self.log = log
        self.port = live.free_port()
        self._running = ExitStack()
        self._start()

    def _start(self) -> None:
        serving = live.serve(self.environment, self.log, port=self.port)
        self.server = self._running.enter_context(serving)

    def restart(self) -> None:
        self.server.process.send_signal(signal.SIGTERM)
        assert self.server.process.wait(PATIENCE) == 0
        self._running.close()
        self._start()

    def stop(self) -> None:
        self._running.close()


@pytest.fixture
def hosts(environment: dict[str, str], people: People, tmp_path: Path) -> Iterator[list[Host]]:
    settings = environment | {"RATE_LIMIT_SCALE": "1000000", "TRUSTED_PROXY_HOPS": "1"}
    with ExitStack() as stack:
        hosts = []
        for name in ("one", "two"):
            hosts.append(Host(settings, tmp_path / name))
            stack.callback(hosts[-1].stop)
        yield hosts


def test_restarts_in_turn_lose_no_request(
    hosts: list[Host], people: People, tmp_path: Path
) -> None:
    person = people("ada")
    urls = [host.server.url for host in hosts]
    with nginx.in_front_of(*urls, home=tmp_path) as url:
        callers = [Caller(url, f"127.0.0.{n + 11}", person.auth) for n in range(CALLERS)]
        for caller in callers:
            caller.start()
        for _, host in zip(range(RESTARTS), cycle(hosts), strict=False):
            host.restart()
        while sum(caller.answers.total() for caller in callers) < REQUESTS:
            assert all(caller.is_alive() for caller in callers)
            callers[0].join(0.1)
        for caller in callers:
            caller.enough.set()
        for caller in callers:
            caller.join(PATIENCE)

    answers = sum((caller.answers for caller in callers), Counter())
    print(dict(answers))
    assert answers.keys() == {"GET 200", "POST 201", "PATCH 200"}


class Caller(Thread):
    """Somebody who reads, writes and edits, one request after the other, at an address of their own."""

    def __init__(self, url: str, address: str, auth: dict[str, str]) -> None:
        super().__init__(daemon=True)
        self.url = urlsplit(url)
        self.address = address
        self.headers = auth | {"Content-Type": "application/json"}
        self.enough = Event()
        self.answers: Counter[str] = Counter()

    def run(self) -> None:
        connection = HTTPConnection(
            self.url.hostname or "", self.url.port, timeout=20, source_address=(self.address, 0)
        )
        place = "/api/v1/posts"
        for turn in count():
            if self.enough.is_set():
                break
            if turn % 10 == 0:
                place = self.ask(connection, "POST", "/api/v1/posts", POST) or place
            elif turn % 10 == 1:
                self.ask(connection, "PATCH", place, PATCH)
            else:
                self.ask(connection, "GET", f"/api/v1/posts?size={turn % 9 + 1}")
            # Floods are refused; this is busy.
            self.enough.wait(0.02)
        connection.close()

    def ask(self, connection: HTTPConnection, method: str, path: str, body: bytes = b"") -> str:
        """Where the answer says that something was made."""
        try:
            connection.request(method, path, body or None, self.headers)
            answer = connection.getresponse()
            answer.read()
        except (OSError, HTTPException) as fault:
            connection.close()
            self.answers[f"{method} {type(fault).__name__}"] += 1
            return ""
        self.answers[f"{method} {answer.status}"] += 1
        return answer.headers.get("Location", "")
