from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from api.app import App
from tests.contract.examples.world import World
from tests.web.apps import app_with, client_of


@pytest.fixture(scope="module")
def lasting(environment: dict[str, str], app: App) -> Iterator[World]:
    """For what changes nothing; not together with ``world`` in one module."""
    with app_with(environment, RATE_LIMIT_SCALE="1000") as other, client_of(other) as client:
        yield World(other, client)


@pytest.fixture
def world(app: App, client: TestClient) -> World:
    return World(app, client)
