"""Two hosts whose connections PgBouncer hands out for a transaction each, far fewer than they have threads."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing
from urllib.parse import urlsplit

import httpx
import psycopg2
import pytest

from scripts.embedded.place import account, own
from tests import live
from tests.faults.callers import asking
from tests.faults.conftest import V1, Makes, Yard
from tests.faults.ledger import written
from tests.system import require
from tests.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.no_cover]  # what is tested are other processes
DOCUMENT = live.ROOT / "docs/scaling.md"
SERVERS = 6
"""Connections to PostgreSQL, for twenty threads."""


def configuration() -> str:
    """The one that the page shows."""
    text = DOCUMENT.read_text(encoding="utf-8")
    return text.split("```ini\n")[1].split("```")[0]


@pytest.fixture(scope="module")
def pgbouncer(make_yard: Makes) -> Iterator[tuple[Yard, str]]:
    """Where it is reached."""
    yard = make_yard()
    place = urlsplit(yard.settings["DATABASE_URL"])
    home = yard.postgres.home / "pgbouncer"
    home.mkdir()
    port = live.free_port()
    text = configuration()
    for written_there, here in {
        "host=db port=5432": f"host=127.0.0.1 port={place.port}",
        "/etc/pgbouncer/userlist.txt": f"{home}/userlist.txt",
        "listen_addr = 0.0.0.0": "listen_addr = 127.0.0.1",
        "listen_port = 6432": f"listen_port = {port}\nunix_socket_dir =",
        "default_pool_size = 20": f"default_pool_size = {SERVERS}",
    }.items():
        assert written_there in text
        text = text.replace(written_there, here)
    (home / "pgbouncer.ini").write_text(text, encoding="utf-8")
    (home / "userlist.txt").write_text(f'"madang" "{place.password}"\n', encoding="utf-8")
    for path in (home, home / "pgbouncer.ini", home / "userlist.txt"):
        own(path)
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            [require("pgbouncer"), home / "pgbouncer.ini"], stdout=log, stderr=log, **account()
        )
    try:
        until(lambda: process.poll() is not None or live.listens(port))
        assert process.poll() is None, (home / "log").read_text()
        yield yard, place._replace(netloc=f"madang:{place.password}@127.0.0.1:{port}").geturl()
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module")
def hosts(
    pgbouncer: tuple[Yard, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Yard]]:
    yard, url = pgbouncer
    with ExitStack() as stack:
        yield [stack.enter_context(yard.beside(DATABASE_URL=url)) for _ in range(2)]


def test_limits_hold_on_each_connection(pgbouncer: tuple[Yard, str], hosts: list[Yard]) -> None:
    """Those that the service would have set itself."""
    _, url = pgbouncer
    with closing(psycopg2.connect(url)) as connection:
        cursor = connection.cursor()
        found = {}
        for name in (
            "statement_timeout",
            "lock_timeout",
            "idle_in_transaction_session_timeout",
            "TimeZone",
        ):
            cursor.execute(f"SHOW {name}")
            [found[name]] = cursor.fetchone() or [""]
    assert found == {
        "statement_timeout": "3s",
        "lock_timeout": "2s",
        "idle_in_transaction_session_timeout": "10s",
        "TimeZone": "UTC",
    }


def test_everything_works_on_both(hosts: list[Yard]) -> None:
    for host in hosts:
        with asking(host, each=3) as heard:
            until(lambda heard=heard: all(len(a) > 20 for a in heard.by_kind.values()))  # type: ignore[misc]
        for kind, answers in heard.by_kind.items():
            assert {answer.status for answer in answers} <= {200, 201}, kind


def test_what_is_written_on_one_is_read_on_the_other_once(hosts: list[Yard]) -> None:
    first, second = hosts
    with written(first) as one, written(second) as two:
        until(lambda: one.written > 100 and two.written > 100, patience=60)
    for ledger in (one, two):
        assert ledger.lost_and_doubled(first) == (set(), set())
        assert not ledger.failures
    identifier = next(iter(one.writers[0].receipts.values()))
    assert httpx.get(f"{second.url}{V1}/posts/{identifier}", timeout=10).status_code == 200
    used = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'madang%' AND usename = 'madang'"
    assert int(str(first.rows(used)[0][0])) <= SERVERS + 20  # those of the first service go past it


def test_nothing_is_prepared_for_whoever_comes_next(
    pgbouncer: tuple[Yard, str], hosts: list[Yard]
) -> None:
    """A connection to PostgreSQL is another client's with the next transaction."""
    with asking(hosts[0], each=3) as heard:
        until(lambda: all(len(answers) > 20 for answers in heard.by_kind.values()))
    _, url = pgbouncer
    with ExitStack() as stack:
        servers = [stack.enter_context(closing(psycopg2.connect(url))) for _ in range(SERVERS)]
        cursors = [server.cursor() for server in servers]
        for cursor in cursors:  # each transaction holds a connection of its own
            cursor.execute("SELECT name FROM pg_prepared_statements")
        assert [cursor.fetchall() for cursor in cursors] == [[]] * SERVERS


def test_a_setting_of_one_transaction_is_gone_in_the_next(hosts: list[Yard]) -> None:
    """A key's patience is set for its transaction alone."""
    auth = hosts[0].people[0]
    for number in range(20):
        headers = auth | {"Idempotency-Key": f"bouncer-{number}"}
        body = {"title": "t", "body": "b"}
        with httpx.Client(base_url=hosts[number % 2].url, timeout=10) as client:
            for _ in range(2):
                assert client.post(f"{V1}/posts", json=body, headers=headers).status_code == 201
