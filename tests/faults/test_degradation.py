"""The table of docs/operations.md, cell by cell: what each kind of request gets while something fails."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import httpx
import psycopg2
import pytest
from redis import Redis
from sqlalchemy.engine import make_url

from api.web.asgi import kept
from scripts.embedded.place import own
from tests.faults.callers import KINDS, asking
from tests.faults.conftest import V1, Makes, Yard
from tests.infra.link import SlowLink
from tests.size import size
from tests.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.no_cover]  # what is tested are other processes
SECONDS = size(3, 15)
OK = {(200, ""), (201, "")}
DOWN = {(503, "DB_UNAVAILABLE"), (503, "OVERLOADED"), (503, "TIMEOUT")}
NO_WRITES = {(503, "DB_READ_ONLY")}
BUSY = {(503, "OVERLOADED")}
READS, WRITES = ("kept", "public", "own", "admin"), ("write", "log in")
Fault = Callable[[Yard], AbstractContextManager[object]]


@contextmanager
def database_gone(yard: Yard) -> Iterator[None]:
    with yard.gone(yard.postgres):
        yield


@contextmanager
def both_gone(yard: Yard) -> Iterator[None]:
    with yard.gone(yard.postgres), yard.gone(yard.valkey):
        yield


@contextmanager
def redis_gone(yard: Yard) -> Iterator[None]:
    with yard.gone(yard.valkey):
        yield


@contextmanager
def redis_full(yard: Yard) -> Iterator[None]:
    """F10: it refuses every write."""
    with _configured(yard, "maxmemory-policy", "noeviction"), _configured(yard, "maxmemory", "1"):
        yield


@contextmanager
def redis_follows(yard: Yard) -> Iterator[None]:
    """F10: what takes no writes, as one that has become a replica."""
    redis = Redis.from_url(yard.servers.redis_url)
    redis.execute_command("REPLICAOF", "127.0.0.1", "1")
    try:
        yield
    finally:
        redis.execute_command("REPLICAOF", "NO", "ONE")


@contextmanager
def _configured(yard: Yard, name: str, value: str) -> Iterator[None]:
    redis = Redis.from_url(yard.servers.redis_url)
    before = dict(redis.config_get(name))[name]  # type: ignore[arg-type]
    redis.config_set(name, value)
    try:
        yield
    finally:
        redis.config_set(name, before)


@contextmanager
def takes_no_writes(yard: Yard) -> Iterator[None]:
    """As a standby, or one that ran out of transaction numbers."""
    yard.rows("ALTER DATABASE madang SET default_transaction_read_only = on")
    yard.end_connections()
    try:
        yield
    finally:
        with psycopg2.connect(
            yard.postgres.superuser_url, options="-c default_transaction_read_only=off"
        ) as connection:
            connection.cursor().execute("ALTER DATABASE madang RESET default_transaction_read_only")
        yard.end_connections()


@contextmanager
def no_connections_left(yard: Yard) -> Iterator[None]:
    """F7: the server has given them all to others."""
    yard.rows("ALTER DATABASE madang CONNECTION LIMIT 0")
    yard.end_connections()
    try:
        yield
    finally:
        yard.rows("ALTER DATABASE madang CONNECTION LIMIT -1")


TABLE: dict[str, tuple[Fault, dict[str, set[tuple[int, str]]]]] = {
    "Redis gone": (redis_gone, {}),
    "Redis full": (redis_full, {}),
    "Redis read-only": (redis_follows, {}),
    "PostgreSQL gone": (
        database_gone,
        dict.fromkeys(KINDS, DOWN) | {"kept": DOWN | OK, "alive": OK, "ready": DOWN | OK},
    ),
    "no connections left": (
        no_connections_left,
        dict.fromkeys(KINDS, DOWN) | {"kept": DOWN | OK, "alive": OK, "ready": DOWN | OK},
    ),
    "PostgreSQL read-only": (takes_no_writes, dict.fromkeys(WRITES, NO_WRITES)),
    "both gone": (
        both_gone,
        dict.fromkeys(KINDS, DOWN) | {"kept": DOWN | OK, "alive": OK, "ready": DOWN | OK},
    ),
}
"""What is not named is answered as ever."""


def is_well(yard: Yard) -> bool:
    with asking(yard, each=2) as heard:
        pass
    return all(answer.status < 300 for answers in heard.by_kind.values() for answer in answers)


@pytest.mark.parametrize("name", TABLE)
def test_while_it_fails_and_after(yard: Yard, name: str) -> None:
    fault, cells = TABLE[name]
    until(lambda: is_well(yard))
    with fault(yard), asking(yard, each=2) as heard:
        time.sleep(SECONDS)  # how long it lasts is the test
    until(lambda: is_well(yard), patience=10)

    for kind in KINDS:
        outcomes = heard.outcomes(kind)
        assert outcomes, kind
        assert outcomes <= cells.get(kind, OK), kind
    if name == "both gone":
        assert heard.outcomes("kept", after=kept.SECONDS) <= DOWN
    assert heard.slowest < size(7.0, 5.1)


def test_connections_that_are_killed_all_the_time_cost_some_requests_and_no_500(yard: Yard) -> None:
    """F2."""
    until(lambda: is_well(yard))
    end = time.monotonic() + SECONDS
    with asking(yard, each=2) as heard:
        while time.monotonic() < end:
            yard.end_connections()
            time.sleep(0.1)
    until(lambda: is_well(yard), patience=10)

    for kind in KINDS:
        assert heard.outcomes(kind) <= OK | {(503, "DB_UNAVAILABLE")}, kind


def test_a_slow_database_is_no_collapse(make_yard: Makes, yard: Yard) -> None:
    """F4: half a second for each statement. What needs none is as quick as ever."""
    url = make_url(yard.settings["DATABASE_URL"])
    wire = SlowLink(url.host or "", url.port or 0)
    through = url.set(port=wire.port).render_as_string(hide_password=False)
    with ExitStack() as stack:
        stack.callback(wire.cut)
        slow = stack.enter_context(yard.beside(DATABASE_URL=through))
        until(lambda: is_well(slow))
        wire.delay = 0.5
        with asking(slow, "kept", "public", "own", "alive", each=10) as heard:
            time.sleep(SECONDS * 2)
        wire.delay = 0
        until(lambda: is_well(slow), patience=10)

    assert heard.slowest < size(7.0, 5.1)
    assert heard.outcomes("alive") == {(200, "")}
    for kind in ("kept", "public", "own"):
        assert heard.outcomes(kind) <= OK | DOWN, kind


def test_clients_who_leave_take_no_connection_with_them(yard: Yard) -> None:
    """F6: 500 of them, each in the middle of a request."""
    place = yard.url.removeprefix("http://").split(":")
    auth = "".join(f"{name}: {value}\r\n" for name, value in yard.people[0].items())
    request = f"GET {V1}/users/me HTTP/1.1\r\nHost: {':'.join(place)}\r\n{auth}\r\n".encode()
    for number in range(500):
        with socket.create_connection((place[0], int(place[1]))) as connection:
            connection.sendall(request if number % 2 else request[:-2])
            if number % 3 == 0:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    until(lambda: is_well(yard))

    idle = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'madang' AND state <> 'idle'"
    until(lambda: yard.rows(idle) == [(0,)])


def test_a_worker_whose_event_loop_stands_still_is_replaced(yard: Yard) -> None:
    """F12: here it is stopped; gunicorn waits 30 s for a sign of life (here 5, as a rule), and the other one serves.

    For its first sign gunicorn waits without end.
    """
    with yard.beside(**size({"GUNICORN_CMD_ARGS": "--timeout=5"}, {})) as other:
        until(lambda: len(_listening(other)) == 2)
        until(lambda: is_well(other))
        victim = other.workers[0]
        victim.suspend()
        served = 0
        end = time.monotonic() + 60
        while victim.is_running() and victim.status() != "zombie":
            assert time.monotonic() < end
            try:
                served += httpx.get(f"{other.url}/healthz", timeout=1).is_success
            except httpx.TransportError:
                pass  # one that the stopped one had accepted
        until(lambda: is_well(other))
    assert served


def _listening(yard: Yard) -> list[dict[str, object]]:
    """What the workers say that have loaded."""
    return [line for line in yard.server.lines() if "server listening" in line["message"]]


def test_a_full_disk_refuses_writes_alone(yard: Yard) -> None:
    """F13: of the table, not of the log that PostgreSQL writes ahead, without which it stops."""
    if os.geteuid() or not shutil.which("mount"):
        pytest.skip("a small file system can be mounted by root alone")
    folder = yard.postgres.home / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], check=False
    )
    if mounted.returncode:
        pytest.skip("this machine lets nobody mount a file system")
    try:
        own(folder)
        _fill(yard, folder)
    finally:
        yard.statement("ALTER TABLE comments SET TABLESPACE pg_default")
        yard.statement("DROP TABLESPACE IF EXISTS small")
        subprocess.run(["umount", folder], check=True)


def _fill(yard: Yard, folder: Path) -> None:
    yard.statement(f"CREATE TABLESPACE small LOCATION '{folder}'")
    yard.statement("ALTER TABLE comments SET TABLESPACE small")
    auth = yard.people[0]
    with httpx.Client(base_url=yard.url, timeout=10) as client:
        post = {"title": "t", "body": "b", "is_published": True}
        place = client.post(f"{V1}/posts", json=post, headers=auth).headers["Location"]

        def comment() -> httpx.Response:
            # Not to be compressed away.
            body = {"body": os.urandom(2_000).hex()}
            return client.post(f"{place}/comments", json=body, headers=auth)

        answers = (comment() for _ in range(2_000))
        refused = next(answer for answer in answers if answer.status_code != 201)
        assert refused.status_code == 503
        assert refused.json()["error"]["code"] == "DB_READ_ONLY"
        assert client.get(f"{place}/comments").status_code == 200
        assert client.post(f"{V1}/posts", json=post, headers=auth).status_code == 201
        yard.statement("ALTER TABLE comments SET TABLESPACE pg_default")
        assert comment().status_code == 201
