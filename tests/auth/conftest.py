from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from functools import cache

import pytest
from starlette.testclient import TestClient

from api.app import App, create_app
from api.config import Settings
from api.infra.db import db
from tests.auth.flows import Service
from tests.conftest import ORIGIN
from tests.live import free_port
from tests.memory import remembers_hits
from tests.spec import assert_documented

PLENTY = {"RATE_LIMIT_SCALE": "1000"}
"""For tests that are about something else than the limits of ``x-rate-limits``."""


@pytest.fixture(scope="session")
def service(environment: dict[str, str], app: App) -> Iterator[Service]:
    """The service with other settings on the same servers, as another process would be."""
    with ExitStack() as stack:

        @cache
        def serve(**settings: str) -> TestClient:
            other = remembers_hits(create_app(Settings.from_env(environment | settings)))
            origin = settings.get("PUBLIC_URL", ORIGIN)
            client = TestClient(other.asgi, base_url=origin, raise_server_exceptions=False)
            client.event_hooks["response"].append(assert_documented)
            stack.callback(_disconnect, other)
            return stack.enter_context(client)

        yield serve


@pytest.fixture
def counted(service: Service, environment: dict[str, str], clean: None) -> TestClient:
    """A caller behind one proxy of ours, whose address a test can choose."""
    return service(TRUSTED_PROXY_HOPS="1")


@pytest.fixture
def unlimited(service: Service, clean: None) -> TestClient:
    """A caller whom rate limits do not stop; failed logins of one account still do."""
    return service(**PLENTY)


@pytest.fixture
def another(service: Service, clean: None) -> TestClient:
    """A second instance of the service: it shares the servers and nothing else."""
    return service(**PLENTY, WEB_CONCURRENCY="3")


@pytest.fixture(scope="session")
def closed_redis() -> str:
    """An address where nobody listens."""
    return f"redis://127.0.0.1:{free_port()}/0"


@pytest.fixture
def without_redis(service: Service, closed_redis: str, clean: None) -> TestClient:
    """An instance that cannot reach Redis."""
    return service(**PLENTY, REDIS_URL=closed_redis)


@pytest.fixture
def https(service: Service, clean: None) -> TestClient:
    return service(**PLENTY, PUBLIC_URL="https://madang.example")


def _disconnect(app: App) -> None:
    with app.flask.app_context():
        db.engine.dispose()
