"""A service of its own on servers of its own, which may be killed and stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, replace
from secrets import token_hex

import httpx
import psutil
import psycopg2
import pytest

from scripts import embedded
from tests import live
from tests.people import PASSWORD

SECRET = "a signing key for tests, 32 bytes or more"
PEOPLE = 8
V1 = "/api/v1"


@dataclass
class Yard:
    servers: embedded.Servers
    settings: dict[str, str]
    server: live.Server
    people: list[dict[str, str]]
    """Their headers: what one session writes is done one after the other."""
    admin: dict[str, str]

    @property
    def url(self) -> str:
        return self.server.url

    @property
    def postgres(self) -> embedded.Postgres:
        assert self.servers.postgres is not None
        return self.servers.postgres

    @property
    def valkey(self) -> embedded.Valkey:
        assert self.servers.valkey is not None
        return self.servers.valkey

    @property
    def workers(self) -> list[psutil.Process]:
        return psutil.Process(self.server.process.pid).children()

    def rows(self, statement: str) -> list[tuple[object, ...]]:
        with psycopg2.connect(self.postgres.superuser_url) as connection:
            cursor = connection.cursor()
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def statement(self, statement: str) -> None:
        """One that no transaction may hold."""
        with closing(psycopg2.connect(self.postgres.superuser_url)) as connection:
            connection.autocommit = True
            connection.cursor().execute(statement)

    def end_connections(self) -> None:
        """Those of the service."""
        ends = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'madang'"
        self.rows(ends)

    @contextmanager
    def beside(self, **settings: str) -> Iterator[Yard]:
        """Another service on the same servers."""
        told = self.settings | {"PUBLIC_URL": self.url} | settings  # who issued the tokens
        log = self.server.log.with_name(f"beside-{token_hex(4)}")
        with live.serve(told, log) as server:
            yield replace(self, settings=told, server=server)

    @contextmanager
    def stopped(self, server: embedded.Postgres | embedded.Valkey) -> Iterator[None]:
        """It lives, its connections stay open, and it says nothing."""
        family = _family(server)
        for process in family:
            process.suspend()
        try:
            yield
        finally:
            for process in family:
                with suppress(psutil.NoSuchProcess):
                    process.resume()

    @contextmanager
    def gone(self, server: embedded.Postgres | embedded.Valkey) -> Iterator[None]:
        kill(server)
        try:
            yield
        finally:
            server.start()


def kill(server: embedded.Postgres | embedded.Valkey) -> None:
    """As the kernel does when memory is short: no last word, nothing written out."""
    for process in _family(server):
        with suppress(psutil.NoSuchProcess):
            process.kill()
    assert server.process is not None
    server.process.wait()


def _family(server: embedded.Postgres | embedded.Valkey) -> list[psutil.Process]:
    assert server.process is not None
    first = psutil.Process(server.process.pid)
    return [first, *first.children(recursive=True)]


def somebody(server: live.Server, name: str) -> dict[str, str]:
    """Signs up and logs in."""
    body = {"email": f"{name}@example.com", "username": name, "password": PASSWORD}
    httpx.post(f"{server.url}{V1}/auth/signup", json=body, timeout=10)
    return log_in(server, body["email"])


def log_in(server: live.Server, email: str) -> dict[str, str]:
    body = {"email": email, "password": PASSWORD}
    answer = httpx.post(f"{server.url}{V1}/auth/login", json=body, timeout=10)
    return {"Authorization": f"Bearer {answer.json()['data']['access_token']}"}


Makes = Callable[..., Yard]


@pytest.fixture(scope="module")
def make_yard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Makes]:
    """Starts a service with these settings, on servers that keep what they were given."""
    with ExitStack() as stack:

        def make(**settings: str) -> Yard:
            home = stack.enter_context(embedded.scratch_home())
            servers = stack.enter_context(embedded.servers(home))
            told = {
                "ENVIRONMENT": "test",
                "DATABASE_URL": servers.database_url,
                "REDIS_URL": servers.redis_url,
                "JWT_SECRET_KEY": SECRET,
                "RATE_LIMIT_SCALE": "1000000",
                "ADMIN_EMAIL": "admin@example.com",
                "ADMIN_PASSWORD": PASSWORD,
                **settings,
            }
            live.madang("release", told)
            live.madang("seed", told)
            log = tmp_path_factory.mktemp("faults") / "log"
            server = stack.enter_context(live.serve(told, log))
            people = [somebody(server, f"person{n}") for n in range(PEOPLE)]
            return Yard(servers, told, server, people, log_in(server, "admin@example.com"))

        yield make


@pytest.fixture(scope="module")
def yard(make_yard: Makes) -> Yard:
    return make_yard()
