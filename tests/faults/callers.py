"""People who go on asking, each for another kind of thing, and remember what they were told."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from statistics import quantiles
from threading import Event, Thread
from typing import Any

import httpx

from tests.faults.conftest import V1, Yard
from tests.people import PASSWORD
from tests.waiting import PATIENCE


@dataclass(frozen=True)
class Answer:
    status: int
    """0 when there was none."""
    code: str
    seconds: float
    began: float


KINDS = ("kept", "public", "own", "write", "log in", "admin", "alive", "ready")
"""Of requests: a list that the cache may know, one that it cannot, what needs a session, ..."""


def ask(client: httpx.Client, yard: Yard, kind: str, number: int) -> httpx.Response:
    auth = yard.people[number % len(yard.people)]
    match kind:
        case "kept":
            return client.get(f"{V1}/posts")
        case "public":
            return client.get(f"{V1}/users", params={"page": number % 5 + 1})
        case "own":
            return client.get(f"{V1}/users/me", headers=auth)
        case "write":
            return client.post(f"{V1}/posts", json={"title": "t", "body": "b"}, headers=auth)
        case "log in":
            body = {"email": "person0@example.com", "password": PASSWORD}
            return client.post(f"{V1}/auth/login", json=body)
        case "admin":
            return client.get(f"{V1}/admin/users", headers=yard.admin)
        case "alive":
            return client.get("/healthz")
    return client.get("/readyz")


class Caller(Thread):
    def __init__(self, yard: Yard, kind: str, enough: Event, pause: float) -> None:
        super().__init__(daemon=True)
        self.yard, self.kind, self.enough, self.pause = yard, kind, enough, pause
        self.answers: list[Answer] = []

    def run(self) -> None:
        with httpx.Client(base_url=self.yard.url, timeout=30) as client:
            for number in count():
                began = time.monotonic()
                try:
                    answer = ask(client, self.yard, self.kind, number)
                    body: Any = answer.json() if answer.status_code >= 400 else {}
                    status, code = answer.status_code, body.get("error", {}).get("code", "")
                except httpx.TransportError as fault:
                    status, code = 0, type(fault).__name__
                self.answers.append(Answer(status, code, time.monotonic() - began, began))
                if self.enough.wait(self.pause):
                    return


class Heard:
    """What was answered to each kind of request."""

    def __init__(self, callers: list[Caller]) -> None:
        self._callers = callers
        self._began = time.monotonic()

    @property
    def by_kind(self) -> dict[str, list[Answer]]:
        found: dict[str, list[Answer]] = defaultdict(list)
        for caller in self._callers:
            found[caller.kind] += caller.answers
        return dict(found)

    def outcomes(self, kind: str, after: float = 0.0) -> set[tuple[int, str]]:
        return {(answer.status, answer.code) for answer in self.asked(kind, after)}

    def asked(self, kind: str, after: float) -> list[Answer]:
        """Those who asked when so many seconds were over."""
        return [each for each in self.by_kind[kind] if each.began >= self._began + after]

    @property
    def slowest(self) -> float:
        return max(answer.seconds for answers in self.by_kind.values() for answer in answers)

    def p99(self, kind: str) -> float:
        return quantiles([answer.seconds for answer in self.by_kind[kind]], n=100)[98]


@contextmanager
def asking(yard: Yard, *kinds: str, each: int = 3, pause: float = 0.05) -> Iterator[Heard]:
    """While the block runs, *each* people ask for each of the kinds; at its end the last answers have come."""
    enough = Event()
    callers = [Caller(yard, kind, enough, pause) for kind in kinds or KINDS for _ in range(each)]
    for caller in callers:
        caller.start()
    try:
        yield Heard(callers)
    finally:
        enough.set()
        for caller in callers:
            caller.join(PATIENCE)
