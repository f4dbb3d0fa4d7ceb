"""Real servers for every test: PostgreSQL built by the migrations, a Redis, the whole service."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from flask_migrate import upgrade
from redis import Redis
from sqlalchemy import Connection, Engine, event
from starlette.testclient import TestClient

from api.app import App, create_app
from api.commands import migrations
from api.config import Settings
from api.infra.db_watchdog import WatchedConnection
from api.models import User
from tests.memory import forget_all, remembers_hits
from tests.people import People, Person, sql
from tests.spec import assert_documented

ORIGIN = "http://localhost"

_settrace = sys.settrace


def _patiently(function: Any) -> None:
    """Coverage follows each thread, and of two that begin at the same moment Python 3.11 refuses one."""
    for _ in range(1_000):
        try:
            return _settrace(function)
        except RuntimeError:
            time.sleep(0.001)
    return _settrace(function)


sys.settrace = _patiently
SECRET = "a signing key for tests, 32 bytes or more"


WRITES = re.compile(r"\b(INSERT INTO|UPDATE|DELETE FROM)\b")


@event.listens_for(Engine, "before_cursor_execute")
def _only_reads(connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
    """A GET begins no transaction, so whatever it wrote would stay: none does."""
    driven = connection.connection.dbapi_connection
    if isinstance(driven, WatchedConnection) and driven.autocommit:
        assert not WRITES.search(statement), statement


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first, so that no process is left alone with one at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def environment() -> Iterator[dict[str, str]]:
    """Servers of our own, or those of TEST_DATABASE_URL and TEST_REDIS_URL."""
    database, redis = os.environ.get("TEST_DATABASE_URL"), os.environ.get("TEST_REDIS_URL")
    with ExitStack() as stack:
        if not (database and redis):
            from scripts import embedded

            home = stack.enter_context(embedded.scratch_home())
            servers = stack.enter_context(
                embedded.servers(home, database=not database, redis=not redis, fast=True)
            )
            database, redis = database or servers.database_url, redis or servers.redis_url
        yield {
            "ENVIRONMENT": "test",
            "DATABASE_URL": database,
            # A loaded machine may be slow; that the service does not wait has tests of its own.
            "REDIS_URL": f"{redis}?socket_timeout=5",
            "JWT_SECRET_KEY": SECRET,
            "PUBLIC_URL": ORIGIN,
        }


@pytest.fixture(scope="session")
def app(environment: dict[str, str]) -> App:
    app = remembers_hits(create_app(Settings.from_env(environment)))
    migrations.attach(app.flask)
    with app.flask.app_context():
        # scripts/compatible has built it already, by the migrations of a later release.
        if os.environ.get("TEST_SCHEMA") != "newer":
            upgrade()
    return app


@pytest.fixture(scope="session")
def redis(environment: dict[str, str]) -> Redis:
    return Redis.from_url(environment["REDIS_URL"])


@pytest.fixture
def clean(app: App, redis: Redis) -> None:
    """Nothing stored, nothing counted."""
    tables = [table.name for table in reversed(User.metadata.sorted_tables)]
    emptied = "; ".join(f"DELETE FROM {name}" for name in tables)  # TRUNCATE takes longer
    old = "SELECT set_config('madang.audit_expiry', 'infinity', true)"  # or audit rows would stay
    sql(app.flask, f"{old}; {emptied}")
    forget_all(redis)


@pytest.fixture(scope="session")
def transport(app: App) -> Iterator[TestClient]:
    with TestClient(app.asgi, base_url=ORIGIN, raise_server_exceptions=False) as client:
        client.event_hooks["response"].append(assert_documented)
        yield client


@pytest.fixture
def client(transport: TestClient, clean: None) -> Iterator[TestClient]:
    """A caller without token or cookie; every answer is held against the contract."""
    transport.cookies.clear()
    yield transport
    transport.cookies.clear()


@pytest.fixture
def people(app: App, clean: None) -> People:
    return People(app)


@pytest.fixture
def ada(people: People) -> Person:
    return people("ada")


@pytest.fixture
def bob(people: People) -> Person:
    return people("bob")


@pytest.fixture
def query(app: App) -> Callable[..., list[tuple[object, ...]]]:
    """Looks into the database, or changes it, behind the service's back."""
    return lambda statement, **values: sql(app.flask, statement, **values)
