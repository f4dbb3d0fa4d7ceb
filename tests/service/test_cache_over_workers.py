"""Two workers, each asked by a connection of its own, and a Redis that a test can take away."""

from __future__ import annotations

import secrets
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from threading import Event, Thread
from typing import Any

import httpx
import psutil
import psycopg2
import pytest
from redis import Redis

from scripts import embedded
from scripts.process import wait_for
from tests import live
from tests.auth.flows import at_once
from tests.people import PASSWORD
from tests.size import size

pytestmark = pytest.mark.slow
POSTS, ME = "/api/v1/posts", "/api/v1/users/me"
POST = {"title": "t", "body": "b", "is_published": True}
PATIENCE = 10.0
READS = 200


class Worker:
    """A client whose one connection always leads to the same process."""

    def __init__(self, url: str) -> None:
        one = httpx.Limits(max_connections=1, keepalive_expiry=None)
        self.client = httpx.Client(base_url=url, timeout=20, limits=one, verify=False)
        self.port: int | None = None
        self.ask("GET", "/healthz")

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        answer = self.client.request(method, path, **options)
        stream = answer.extensions["network_stream"]
        port = stream.get_extra_info("client_addr")[1]
        assert self.port in (None, port), "another connection may lead to another worker"
        self.port = port
        return answer

    def is_at(self, process: psutil.Process) -> bool:
        ends = process.net_connections("tcp")
        return any(end.raddr[1:] == (self.port,) for end in ends)


@dataclass
class Yard:
    servers: embedded.Servers
    server: live.Server
    workers: tuple[Worker, Worker]
    ada: str
    auth: dict[str, str]

    def write(self, worker: Worker) -> str:
        """One that changes every list and a profile. Returns what both have to show from now on."""
        name = f"ada_{secrets.token_hex(8)}"
        answer = worker.ask("PATCH", ME, json={"username": name}, headers=self.auth)
        assert answer.status_code == 200, answer.text
        return name

    def lists(self, worker: Worker) -> str:
        return found(worker.ask("GET", POSTS))["items"][0]["author"]["username"]

    def profile(self, worker: Worker) -> str:
        return found(worker.ask("GET", f"/api/v1/users/{self.ada}"))["username"]

    @property
    def looks(self) -> tuple[Callable[[Worker], str], ...]:
        return self.lists, self.profile

    def shown(self) -> set[str]:
        """Everywhere: four readings."""
        return {look(worker) for worker in self.workers for look in self.looks}

    def keeps(self) -> bool:
        """Whether Redis holds what is shown now: a list, and the profile."""
        shown = self.shown()
        if len(shown) > 1:
            return False
        name = shown.pop().encode()
        with Redis.from_url(self.servers.redis_url) as redis:
            found = {key: redis.get(key) or b"" for key in redis.scan_iter()}
        fresh = [key for key, value in found.items() if name in value]
        return {b":page:" in key for key in fresh} == {True, False}


def found(answer: httpx.Response) -> Any:
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


@pytest.fixture(scope="module")
def servers() -> Iterator[embedded.Servers]:
    with embedded.scratch_home() as home, embedded.servers(home, fast=True) as servers:
        assert servers.postgres is not None
        connection = psycopg2.connect(servers.postgres.superuser_url)
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("ALTER SYSTEM SET log_statement = 'all'")
            cursor.execute("SELECT pg_reload_conf()")
        connection.close()
        yield servers


@pytest.fixture(scope="module")
def server(
    servers: embedded.Servers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[live.Server]:
    settings = {
        "ENVIRONMENT": "test",
        "DATABASE_URL": servers.database_url,
        "REDIS_URL": servers.redis_url,
        "JWT_SECRET_KEY": "a signing key for tests, 32 bytes or more",
        "WEB_CONCURRENCY": "2",
        "RATE_LIMIT_SCALE": "10000",
    }
    live.madang("release", settings)
    with live.serve(settings, tmp_path_factory.mktemp("cache") / "log") as server:
        yield server


@pytest.fixture(scope="module")
def person(server: live.Server) -> tuple[str, dict[str, str]]:
    with server.client() as client:
        person = {"email": "ada@example.com", "password": PASSWORD}
        client.post("/api/v1/auth/signup", json=person | {"username": "ada"})
        token = client.post("/api/v1/auth/login", json=person).json()["data"]["access_token"]
        auth = {"Authorization": f"Bearer {token}"}
        return client.get(ME, headers=auth).json()["data"]["id"], auth


@pytest.fixture
def yard(
    servers: embedded.Servers, server: live.Server, person: tuple[str, dict[str, str]]
) -> Iterator[Yard]:
    with ExitStack() as stack:
        one, two = each_worker(server, stack)
        one.ask("POST", POSTS, json=POST, headers=person[1])
        yard = Yard(servers, server, (one, two), *person)
        assert wait_for(yard.keeps, PATIENCE)
        yield yard


def each_worker(server: live.Server, stack: ExitStack) -> list[Worker]:
    """A client of each process; which one takes a connection is up to the kernel."""
    processes = psutil.Process(server.process.pid).children()
    assert len(processes) == 2
    workers: dict[int, Worker] = {}
    for _ in range(500):
        worker = Worker(server.url)
        stack.callback(worker.client.close)
        [pid] = [process.pid for process in processes if worker.is_at(process)]
        workers.setdefault(pid, worker)
        if len(workers) == 2:
            return list(workers.values())
    raise AssertionError("one worker takes every connection")


@contextmanager
def readers(yard: Yard) -> Iterator[None]:
    """Somebody else reads on each worker all the while, and is never refused."""
    over, statuses = Event(), list[set[int]]()

    def read(worker: Worker) -> None:
        seen: set[int] = set()
        statuses.append(seen)
        while not over.is_set():
            for path in (POSTS, f"/api/v1/users/{yard.ada}"):
                seen.add(worker.ask("GET", path).status_code)

    with ExitStack() as stack:
        threads = [Thread(target=read, args=[each]) for each in each_worker(yard.server, stack)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            over.set()
            for thread in threads:
                thread.join()
    assert statuses == [{200}, {200}]


def test_a_write_is_seen_by_the_next_reader_on_every_worker(yard: Yard) -> None:
    for number in range(size(50, 500)):
        new = yard.write(yard.workers[number % 2])
        assert yard.shown() == {new}, number


def test_also_while_others_fill_the_cache_all_the_time(yard: Yard) -> None:
    with readers(yard):
        for number in range(100):
            new = yard.write(yard.workers[number % 2])
            assert yard.shown() == {new}, number


def test_two_hundred_readers_of_something_cold_ask_the_database_twice(yard: Yard) -> None:
    """Once in each worker, at most; PostgreSQL's own log tells."""
    with ExitStack() as stack:
        # Each has one of its own: the connections of a shared one are closed by any of its threads.
        clients = [
            stack.enter_context(httpx.Client(base_url=yard.server.url, timeout=30, verify=False))
            for _ in range(READS)
        ]
        for number in range(1, 6):
            before = asked(yard)
            path = f"{POSTS}?size={number}"
            answers = at_once(READS, lambda n, path=path: clients[n].get(path))  # type: ignore[misc]
            assert {answer.status_code for answer in answers} == {200}
            assert 1 <= asked(yard) - before <= 2


def asked(yard: Yard) -> int:
    """How often PostgreSQL was asked for a list of posts."""
    assert yard.servers.postgres is not None
    return yard.servers.postgres.log.read_text().count("ORDER BY posts.published_at DESC")


Outages = Callable[[], AbstractContextManager[None]]


@dataclass
class Outage:
    begin: Callable[[embedded.Valkey], None]
    end: Callable[[embedded.Valkey], None]


def kill(valkey: embedded.Valkey) -> None:
    assert valkey.process is not None
    valkey.process.kill()
    valkey.process.wait()


def send(number: signal.Signals) -> Callable[[embedded.Valkey], None]:
    return lambda valkey: valkey.process.send_signal(number) if valkey.process else None


OUTAGES = {
    "killed, and back empty": Outage(kill, embedded.Valkey.start),
    "hung": Outage(send(signal.SIGSTOP), send(signal.SIGCONT)),
}


@pytest.fixture(params=OUTAGES)
def without_redis(request: pytest.FixtureRequest, yard: Yard) -> Outages:
    @contextmanager
    def outage() -> Iterator[None]:
        valkey, kind = yard.servers.valkey, OUTAGES[request.param]
        assert valkey is not None
        kind.begin(valkey)
        try:
            yield
        finally:
            kind.end(valkey)

    return outage


class TestWithoutRedis:
    def test_reading_and_writing_go_on_and_show_the_truth(
        self, yard: Yard, without_redis: Outages
    ) -> None:
        with readers(yard):
            with without_redis():
                for number in range(10):
                    worker = yard.workers[number % 2]
                    new = yard.write(worker)
                    assert yard.shown() == {new}
                    assert write_and_delete(yard, worker) == [201, 201, 204, 204]
            assert wait_for(yard.keeps, PATIENCE)

        assert yard.shown() == {new}

    def test_afterwards_200_readers_at_once_are_told_of_a_write_meanwhile(
        self, yard: Yard, without_redis: Outages
    ) -> None:
        for _ in range(3):
            with without_redis():
                yard.shown()  # so that each worker notices
                new = yard.write(yard.workers[0])

            assert read(yard, READS) == {new}
            assert wait_for(yard.keeps, PATIENCE)

    def test_also_by_a_worker_that_noticed_nothing(
        self, yard: Yard, without_redis: Outages
    ) -> None:
        """Whoever writes cannot tell it through Redis, and it has no reason of its own to doubt."""
        writer, idle = yard.workers
        for moment in range(5):
            with without_redis():
                yard.lists(writer)
                new = yard.write(writer)
                time.sleep(moment / 20)  # between two tries of the writer to reach Redis, or in one

            assert {look(idle) for _ in range(READS // 2) for look in yard.looks} == {new}, moment
            assert wait_for(yard.keeps, PATIENCE)

    def test_writes_right_after_the_return_are_seen_at_once(
        self, yard: Yard, without_redis: Outages
    ) -> None:
        """One worker is the first to trust Redis again; the other one writes."""
        for moment in range(8):
            with without_redis():
                yard.shown()
                time.sleep(moment / 20)

            for number in range(20):
                new = yard.write(yard.workers[number % 2])
                assert yard.shown() == {new}, (moment, number)
            assert wait_for(yard.keeps, PATIENCE)


def read(yard: Yard, times: int) -> set[str]:
    return {shown for _ in range(times // 4) for shown in yard.shown()}


def write_and_delete(yard: Yard, worker: Worker) -> list[int]:
    """A post and a comment come and go."""
    post = worker.ask("POST", POSTS, json=POST, headers=yard.auth)
    url = post.headers["Location"]
    comment = worker.ask("POST", f"{url}/comments", json={"body": "c"}, headers=yard.auth)
    gone = [
        worker.ask("DELETE", each, headers=yard.auth) for each in (comment.headers["Location"], url)
    ]
    return [answer.status_code for answer in (post, comment, *gone)]


def test_what_a_killed_worker_could_tell_nobody_is_seen(yard: Yard) -> None:
    """It had committed, and was killed before the cache heard of it."""
    alive, dead = yard.workers
    [process] = [p for p in psutil.Process(yard.server.process.pid).children() if dead.is_at(p)]
    name = f"ada_{secrets.token_hex(8)}"
    connection = psycopg2.connect(yard.servers.database_url)
    with connection, connection.cursor() as cursor:
        cursor.execute("UPDATE users SET username = %s WHERE id = %s", (name, yard.ada))
    connection.close()
    assert yard.lists(alive) != name  # Redis knows nothing of it

    process.kill()

    assert wait_for(lambda: yard.lists(alive) == yard.profile(alive) == name, PATIENCE)
