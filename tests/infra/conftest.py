"""What tests of the cache share."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from redis import Redis

from tests.infra.caches import A_LIST, A_PROFILE, Process, Source


@pytest.fixture
def empty(redis: Redis) -> None:
    redis.flushdb()


@pytest.fixture(params=[A_LIST, A_PROFILE], ids=["list", "profile"])
def kind(request: pytest.FixtureRequest) -> tuple[str, str]:
    found: tuple[str, str] = request.param
    return found


@pytest.fixture
def start(environment: dict[str, str], empty: None, kind: tuple[str, str]) -> Callable[[], Process]:
    """Starts processes that share the source and Redis, and nothing else."""
    source = Source()
    return lambda: Process(environment["REDIS_URL"], source, *kind)


@pytest.fixture
def process(start: Callable[[], Process]) -> Process:
    return start()
