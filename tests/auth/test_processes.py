"""What must hold between processes, under load, or in time: with the service as it is deployed."""

from __future__ import annotations

import ssl
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import pytest
from redis import Redis

from tests.auth.flows import COOKIE, PROGRAM, Query, at_once
from tests.live import Server, serve
from tests.people import PASSWORD, People
from tests.size import size

pytestmark = pytest.mark.slow

SIGN_UP, LOG_IN, REFRESH, LOG_OUT, ME = (
    f"/api/v1/{path}"
    for path in ("auth/signup", "auth/login", "auth/refresh", "auth/logout", "users/me")
)
MEBIBYTE = 1024
ATTEMPTS = size(150, 300)
TLS = ssl.create_default_context()
"""Made once: that takes longer than a request. Nothing here uses it."""


@dataclass(frozen=True)
class Deployed:
    server: Server

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """On a connection of its own, so that every worker gets some.

        Of a client that threads share, each may end the connections of the others.
        """
        return httpx.request(method, self.server.url + path, timeout=30, verify=TLS, **more)

    def log_in(self, email: str, password: str = PASSWORD) -> httpx.Response:
        return self.ask("POST", LOG_IN, json={"email": email, "password": password})

    def sign_up_again(self) -> None:
        """Under a name that is taken, which takes every step of a login but the hash."""
        body = {"email": "new@example.com", "username": "person_0", "password": PASSWORD}
        assert self.ask("POST", SIGN_UP, json=body).status_code in (409, 503)

    def with_cookie(self, path: str, token: str) -> httpx.Response:
        headers = {**PROGRAM, "Cookie": f"{COOKIE}={token}"}
        return self.ask("POST", path, headers=headers)

    def me_everywhere(self, access: str) -> set[int]:
        headers = {"Authorization": f"Bearer {access}"}
        return set(at_once(8, lambda _: self.ask("GET", ME, headers=headers).status_code))

    def peak_memory(self) -> int:
        """Of the only worker, in KiB, since it began."""
        master = self.server.process.pid
        [worker] = Path(f"/proc/{master}/task/{master}/children").read_text().split()
        status = Path(f"/proc/{worker}/status").read_text()
        [line] = [line for line in status.splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1])


@contextmanager
def deployed(environment: dict[str, str], log: Path, *, workers: int) -> Iterator[Deployed]:
    settings = {"RATE_LIMIT_SCALE": "1000", "WEB_CONCURRENCY": str(workers)}
    with serve(environment | settings, log) as server:
        yield Deployed(server)


@pytest.fixture(scope="module")
def two_workers(
    environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployed]:
    with deployed(environment, tmp_path_factory.mktemp("two") / "log", workers=2) as service:
        yield service


@pytest.fixture(scope="module")
def one_worker(
    environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployed]:
    with deployed(environment, tmp_path_factory.mktemp("one") / "log", workers=1) as service:
        yield service


def test_a_logout_is_seen_by_every_worker_at_once(two_workers: Deployed, people: People) -> None:
    """T9."""
    ada = people("ada")
    for _ in range(20):
        login = two_workers.log_in(ada.email)
        access = login.json()["data"]["access_token"]
        assert two_workers.me_everywhere(access) == {200}

        assert two_workers.with_cookie(LOG_OUT, login.cookies[COOKIE]).status_code == 204

        assert two_workers.me_everywhere(access) == {401}


def test_reuse_ends_the_session_in_a_new_process_too(
    two_workers: Deployed,
    environment: dict[str, str],
    people: People,
    redis: Redis,
    query: Query,
    tmp_path: Path,
) -> None:
    """T10, T13."""
    first = two_workers.log_in(people("ada").email).cookies[COOKIE]
    second = two_workers.with_cookie(REFRESH, first).cookies[COOKIE]
    third = two_workers.with_cookie(REFRESH, second)
    assert two_workers.with_cookie(REFRESH, first).status_code == 401
    redis.flushdb()

    with deployed(environment, tmp_path / "log", workers=1) as server:
        assert server.with_cookie(REFRESH, third.cookies[COOKIE]).status_code == 401
        access = third.json()["data"]["access_token"]
        assert server.me_everywhere(access) == {401}
    rows = query("SELECT count(*) FROM audit_logs WHERE action = 'authn_token_reuse'")
    assert rows == [(1,)]


def test_a_hundred_logins_at_once_cost_neither_memory_nor_readers(
    one_worker: Deployed, people: People
) -> None:
    """A2: one hash at a time, for which malloc may need room twice; who waits too long is told to come back.

    A reader needs a thread too, and would have it after all logins if they waited in threads: a third as often as one
    of them is let in, where it is four times as often now.
    """
    emails = [people(f"person_{number}").email for number in range(100)]
    at_once(100, lambda _: one_worker.sign_up_again())  # all is there now but the hashes' memory
    before = one_worker.peak_memory()

    over = Event()
    with ThreadPoolExecutor(1) as reader:
        reading = reader.submit(read_posts, one_worker, over)
        try:
            responses = at_once(100, lambda n: one_worker.log_in(emails[n]))
        finally:
            over.set()
        times = reading.result()

    assert {response.status_code for response in responses} <= {200, 503}
    logged_in = sum(response.status_code == 200 for response in responses)
    assert logged_in >= 4
    assert all("Retry-After" in r.headers for r in responses if r.status_code == 503)
    assert one_worker.peak_memory() - before <= (2 * 19 * 1.2 + 8) * MEBIBYTE
    assert times >= logged_in


def test_the_time_does_not_tell_whether_there_is_an_account(
    one_worker: Deployed, people: People, query: Query
) -> None:
    """A5: the medians of as many attempts each, taken in turn, differ by a tenth at most."""
    people("person_0")
    query(
        "INSERT INTO users (id, email, username, password_hash)"
        " SELECT gen_random_uuid(), 'person_' || n || '@example.com', 'person_' || n, password_hash"
        f" FROM users, generate_series(1, {ATTEMPTS - 1}) n"
    )
    unknown, wrong = [], []
    for number in range(ATTEMPTS):
        unknown.append(failure(one_worker, f"nobody_{number}@example.com"))
        wrong.append(failure(one_worker, f"person_{number}@example.com"))

    ratio = statistics.median(unknown) / statistics.median(wrong)
    assert 0.9 <= ratio <= 1.1


def failure(service: Deployed, email: str) -> float:
    """How many seconds a failed login takes."""
    began = time.perf_counter()
    assert service.log_in(email, "not the password").status_code == 401
    return time.perf_counter() - began


def read_posts(service: Deployed, over: Event) -> int:
    """How often somebody does until then: another list each time, so that none is kept."""
    with service.server.client() as client:
        for times in count():
            if over.is_set():
                return times
            params = {"size": times % 100 + 1, "page": times // 100 + 1}
            assert client.get("/api/v1/posts", params=params).status_code == 200
    raise AssertionError("numbers never end")
