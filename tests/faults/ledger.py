"""People who write, and keep the receipts."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from threading import Event, Thread
from urllib.parse import urlsplit

from tests.faults.conftest import V1, Yard
from tests.waiting import PATIENCE

PAUSE = 0.05
"""Seconds before somebody repeats what failed."""


class Writer(Thread):
    """Repeats each post under its key until it is acknowledged."""

    def __init__(self, name: str, url: str, auth: dict[str, str], enough: Event) -> None:
        super().__init__(name=name, daemon=True)
        self.place = urlsplit(url)
        self.headers = auth | {"Content-Type": "application/json"}
        self.enough = enough
        self.receipts: dict[str, str] = {}
        """Title to id."""
        self.acknowledged: list[float] = []
        """When."""
        self.failures: Counter[str] = Counter()
        self.longest = 0.0
        """Seconds an answer, of whatever kind, took."""

    def run(self) -> None:
        connection = HTTPConnection(self.place.hostname or "", self.place.port, timeout=20)
        number = 0
        while not self.enough.is_set():
            number += 1
            title = f"{self.name}-{number}"
            while not self._write(connection, title):
                if self.enough.wait(PAUSE):
                    return
        connection.close()

    def _write(self, connection: HTTPConnection, title: str) -> bool:
        body = json.dumps({"title": title, "body": "마당", "is_published": True}).encode()
        began = time.monotonic()
        try:
            connection.request(
                "POST", f"{V1}/posts", body, self.headers | {"Idempotency-Key": title}
            )
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, HTTPException):
            connection.close()
            self.failures["broken connection"] += 1
            return False
        finally:
            self.longest = max(self.longest, time.monotonic() - began)
        if answer.status != 201:
            code = json.loads(text)["error"]["code"]
            self.failures[f"{answer.status} {code}"] += 1
            return False
        self.receipts[title] = json.loads(text)["data"]["id"]
        self.acknowledged.append(time.monotonic())
        return True


class Ledger:
    def __init__(self, writers: list[Writer]) -> None:
        self.writers = writers

    @property
    def written(self) -> int:
        return sum(len(writer.receipts) for writer in self.writers)

    @property
    def failures(self) -> Counter[str]:
        return sum((writer.failures for writer in self.writers), Counter())

    @property
    def longest(self) -> float:
        return max(writer.longest for writer in self.writers)

    def first_after(self, moment: float) -> float | None:
        """When something was acknowledged next."""
        later = [at for writer in self.writers for at in writer.acknowledged[-50:] if at > moment]
        return min(later, default=None)

    def lost_and_doubled(self, yard: Yard) -> tuple[set[str], set[str]]:
        """Receipts that the database knows nothing of, and titles that stand in it twice."""
        rows = yard.rows("SELECT title, id::text FROM posts")
        titles = Counter(str(title) for title, _ in rows if "-" in str(title))
        ids = {row[1] for row in rows}
        receipts = {t: i for writer in self.writers for t, i in writer.receipts.items()}
        lost = {title for title, id_ in receipts.items() if id_ not in ids}
        return lost, {title for title, number in titles.items() if number > 1}


@contextmanager
def written(yard: Yard) -> Iterator[Ledger]:
    """While the block runs, people write."""
    enough = Event()
    writers = [
        Writer(f"writer{n}_{time.monotonic_ns()}", yard.url, auth, enough)
        for n, auth in enumerate(yard.people)
    ]
    for writer in writers:
        writer.start()
    try:
        yield Ledger(writers)
    finally:
        enough.set()
        for writer in writers:
            writer.join(PATIENCE)
