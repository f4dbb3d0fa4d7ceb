"""Hosts that are restarted, and people who go on meanwhile."""

from __future__ import annotations

import json
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from http.client import HTTPConnection, HTTPException
from itertools import count
from pathlib import Path
from threading import Event, Thread
from urllib.parse import urlsplit

from tests import live
from tests.waiting import PATIENCE

CALLERS = 8
LogIn = Callable[[], dict[str, str]]
GOOD = {"GET 200", "POST 201", "PATCH 200"}
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

    def __init__(self, url: str, address: str, auth: dict[str, str], log_in: LogIn | None) -> None:
        super().__init__(daemon=True)
        self.url = urlsplit(url)
        self.address = address
        self.log_in = log_in
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
        if code == " TOKEN_EXPIRED" and self.log_in:
            self.headers |= self.log_in()
            return ""
        # nginx tells of a host that is gone by the same code, but of no trace.
        who = "" if "traceparent" in answer.headers else " by nginx"
        self.answers[f"{method} {answer.status}{code}{who}"] += 1
        self.times.append(time.monotonic() - began)
        return answer.headers.get("Location", "")


@contextmanager
def callers(
    url: str, people: list[dict[str, str]], log_in: Callable[[int], dict[str, str]] | None = None
) -> Iterator[list[Caller]]:
    """Eight of them, each at an address of their own, since floods are refused by address.

    *log_in*: for those who go on for longer than a token lasts: the headers of the person of that number.
    """
    found = [
        Caller(url, f"127.0.0.{number + 11}", people[number], log_in and partial(log_in, number))
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
