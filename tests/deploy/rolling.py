"""Hosts that are restarted, and people who go on meanwhile."""

from __future__ import annotations

import json
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection, HTTPException
from itertools import count
from pathlib import Path
from threading import Event, Thread
from urllib.parse import urlsplit

from tests import live
from tests.waiting import PATIENCE

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


class Caller(Thread):
    """Somebody who reads, writes and edits, one request after the other, at an address of their own."""

    def __init__(self, url: str, address: str, auth: dict[str, str]) -> None:
        super().__init__(daemon=True)
        self.url = urlsplit(url)
        self.address = address
        self.headers = auth | {"Content-Type": "application/json"}
        self.enough = Event()
        self.answers: Counter[str] = Counter()
        self.times: list[float] = []
        """Seconds that each answer took."""

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
        began = time.monotonic()
        try:
            connection.request(method, path, body or None, self.headers)
            answer = connection.getresponse()
            said = answer.read()
        except (OSError, HTTPException) as fault:
            connection.close()
            self.answers[f"{method} {type(fault).__name__}"] += 1
            return ""
        code = f" {json.loads(said)['error']['code']}" if answer.status >= 400 else ""
        self.answers[f"{method} {answer.status}{code}"] += 1
        self.times.append(time.monotonic() - began)
        return answer.headers.get("Location", "")


@contextmanager
def callers(url: str, people: list[dict[str, str]]) -> Iterator[list[Caller]]:
    """Eight of them, each at an address of their own, since floods are refused by address."""
    found = [
        Caller(url, f"127.0.0.{number + 11}", people[number % len(people)])
        for number in range(CALLERS)
    ]
    for caller in found:
        caller.start()
    try:
        yield found
    finally:
        for caller in found:
            caller.enough.set()
        for caller in found:
            caller.join(PATIENCE)


def answers(found: list[Caller]) -> Counter[str]:
    return sum((caller.answers for caller in found), Counter())
