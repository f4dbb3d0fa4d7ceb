"""T16, O7: keys and passwords are exchanged while people log in, read and write, and nobody is refused."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from threading import Event, Thread
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
from redis import Redis

from api.commands.rotate_secret import MINUTES
from tests.faults.conftest import SECRET, V1, Makes, Yard
from tests.live import ROOT
from tests.people import PASSWORD
from tests.size import note, size, without_busy
from tests.waiting import PATIENCE, until

pytestmark = [pytest.mark.slow, pytest.mark.no_cover]  # what is tested are other processes
TIMES = size(1, 20)
"""That the password of the database is exchanged."""


class Person(Thread):
    """Logs in now and then, and reads and writes with the newest token in between."""

    def __init__(self, yard: Yard, number: int, enough: Event) -> None:
        super().__init__(daemon=True)
        self.url = yard.url
        self.body = {"email": f"person{number}@example.com", "password": PASSWORD}
        self.enough = enough
        self.answers: Counter[str] = Counter()
        self.tokens: deque[tuple[float, str]] = deque(maxlen=20)

    def run(self) -> None:
        with httpx.Client(base_url=f"{self.url}{V1}", timeout=10) as client:
            for number in count():
                if self.enough.wait(0.02):
                    return
                if number % 10 == 0 or not self.tokens:
                    self.ask(client, "POST", "/auth/login", json=self.body)
                if not self.tokens:
                    continue
                # The oldest one that is remembered: of the old key for a while.
                auth = {"Authorization": f"Bearer {self.tokens[0][1]}"}
                self.ask(client, "GET", "/users/me", headers=auth)
                if number % 5 == 0:
                    post = {"title": "t", "body": "b"}
                    self.ask(client, "POST", "/posts", headers=auth, json=post)

    def ask(self, client: httpx.Client, method: str, path: str, **more: object) -> None:
        try:
            answer = client.request(method, path, **more)  # type: ignore[arg-type]
        except httpx.TransportError as fault:
            self.answers[type(fault).__name__] += 1
            return
        code = f" {answer.json()['error']['code']}" if answer.status_code >= 400 else ""
        self.answers[f"{answer.status_code}{code}"] += 1
        if path == "/auth/login" and answer.status_code == 200:
            self.tokens.append((time.monotonic(), answer.json()["data"]["access_token"]))


@contextmanager
def people(yard: Yard) -> Iterator[list[Person]]:
    enough = Event()
    crowd = [Person(yard, number, enough) for number in range(4)]
    for person in crowd:
        person.start()
    try:
        until(lambda: all(person.tokens for person in crowd))
        yield crowd
    finally:
        enough.set()
        for person in crowd:
            person.join(PATIENCE)


def told(yard: Yard) -> None:
    """Every process starts anew, as after SIGHUP to gunicorn."""
    before = {worker.pid for worker in yard.workers}
    os.kill(yard.server.process.pid, signal.SIGHUP)
    until(lambda: len(yard.workers) == 2 and not before & {worker.pid for worker in yard.workers})
    assert all(psutil.pid_exists(worker.pid) for worker in yard.workers)


def command(yard: Yard, *words: str) -> None:
    code = "from api.cli import main; main()"
    line = [sys.executable, "-c", code, "rotate-secret", *words]
    subprocess.run(line, cwd=ROOT, env={**yard.settings, "PATH": os.environ["PATH"]}, check=True)


def told_all(crowd: list[Person]) -> Counter[str]:
    return sum((person.answers for person in crowd), Counter())


def all_have_newer_tokens(crowd: list[Person]) -> None:
    """So that none of the old key is asked with any more."""
    now = time.monotonic()
    for person in crowd:
        person.tokens = deque(
            [token for token in person.tokens if token[0] > now] or [person.tokens[-1]], maxlen=20
        )
    until(lambda: all(person.tokens[0][0] > now for person in crowd) or not _shift(crowd, now))


def _shift(crowd: list[Person], now: float) -> bool:
    for person in crowd:
        if len(person.tokens) > 1 and person.tokens[0][0] <= now:
            person.tokens.popleft()
    return True


def test_the_key_of_tokens(make_yard: Makes, tmp_path: Path) -> None:
    key, previous = tmp_path / "key", tmp_path / "previous"
    key.write_text(SECRET)
    previous.write_text("")
    yard = make_yard(
        JWT_SECRET_KEY="", JWT_SECRET_KEY_FILE=str(key), JWT_SECRET_KEY_PREVIOUS_FILE=str(previous)
    )
    with people(yard) as crowd:
        for _ in range(size(1, 5)):
            command(yard, "JWT_SECRET_KEY", "prepare")
            told(yard)
            command(yard, "JWT_SECRET_KEY", "switch")
            told(yard)
            all_have_newer_tokens(
                crowd
            )  # those of the old key have ended, after a quarter of an hour
            long_ago = time.time() - MINUTES * 60
            os.utime(key, (long_ago, long_ago))
            command(yard, "JWT_SECRET_KEY", "finish")
            told(yard)
        before = told_all(crowd).total()
        until(lambda: told_all(crowd).total() > before + 50)

    assert key.read_text() != SECRET
    note("The key of tokens exchanged under load", f"answers {dict(told_all(crowd))}")
    assert without_busy(told_all(crowd)).keys() == {"200", "201"}


def test_the_password_of_the_database(make_yard: Makes, tmp_path: Path) -> None:
    """No process is told; new connections find it."""
    file = tmp_path / "url"
    yard = make_yard()
    file.write_text(yard.settings["DATABASE_URL"])
    with (
        yard.beside(DATABASE_URL="", DATABASE_URL_FILE=str(file)) as other,
        people(other) as crowd,
    ):
        for _ in range(TIMES):
            before = told_all(crowd).total()
            command(other, "DATABASE_URL")
            yard.rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle'")
            until(lambda before=before: told_all(crowd).total() > before + 50)  # type: ignore[misc]

    answers = told_all(crowd)
    note("The password of the database exchanged under load", f"answers {dict(answers)}")
    # Whose connection was ended in the instant in which it was used is told so; nobody is refused.
    refused = without_busy(answers) - Counter({"200": answers["200"], "201": answers["201"]})
    assert refused.keys() <= {"503 DB_UNAVAILABLE"}
    assert refused.total() <= TIMES * 4
    assert answers["201"]


def test_the_password_of_redis(make_yard: Makes, tmp_path: Path) -> None:
    """Redis knows several for one user: add, tell the processes, remove."""
    yard = make_yard()
    redis = Redis.from_url(yard.servers.redis_url)
    redis.execute_command(
        "ACL", "SETUSER", "app", "on", ">old", "~*", "&*", "+@all", "-@dangerous", "+info"
    )
    place = urlsplit(yard.servers.redis_url)
    file = tmp_path / "url"
    file.write_text(place._replace(netloc=f"app:old@127.0.0.1:{place.port}").geturl())
    with yard.beside(REDIS_URL="", REDIS_URL_FILE=str(file)) as other, people(other) as crowd:
        redis.execute_command("ACL", "SETUSER", "app", ">new")
        file.write_text(file.read_text().replace(":old@", ":new@"))
        told(other)
        redis.execute_command("ACL", "SETUSER", "app", "<old")
        redis.execute_command("CLIENT", "KILL", "USER", "app")
        before = told_all(crowd).total()
        until(lambda: told_all(crowd).total() > before + 50)
        ready = httpx.get(f"{other.url}/readyz", timeout=10).json()

    assert without_busy(told_all(crowd)).keys() == {"200", "201"}
    assert ready["data"]["redis"] == "ok"
