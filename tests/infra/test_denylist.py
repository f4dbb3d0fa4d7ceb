"""T12, T13: a hint in Redis that an access token's session has ended."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast
from uuid import uuid4

import pytest
from prometheus_client import REGISTRY
from redis import Redis

from api.infra import redis as our_redis
from api.infra.denylist import DenyList
from api.infra.redis import Breaker
from api.infra.tokens import LEEWAY, LIFETIME
from tests.live import free_port


@pytest.fixture
def denied(redis: Redis, environment: dict[str, str]) -> Iterator[DenyList]:
    redis.flushdb()
    client = our_redis.connect(environment["REDIS_URL"])
    yield DenyList(client, LIFETIME + LEEWAY, Breaker(client.ping))
    client.close()


def failures() -> float:
    return REGISTRY.get_sample_value("redis_failures_total", {"use": "denylist"}) or 0.0


def test_holds_what_was_added_and_nothing_else(denied: DenyList) -> None:
    session_id = uuid4()

    denied.add(session_id)

    assert session_id in denied
    assert uuid4() not in denied


def test_an_entry_outlives_every_access_token_of_its_session(
    denied: DenyList, redis: Redis
) -> None:
    session_id = uuid4()

    denied.add(session_id)

    left = cast(int, redis.ttl(f"denied:{session_id}"))
    assert LIFETIME + LEEWAY - 2 <= left <= LIFETIME + LEEWAY


def test_an_empty_redis_denies_nobody(denied: DenyList, redis: Redis) -> None:
    session_id = uuid4()
    denied.add(session_id)

    redis.flushdb()

    assert session_id not in denied


def test_without_redis_it_neither_fails_nor_waits_each_time() -> None:
    client = our_redis.connect(f"redis://127.0.0.1:{free_port()}/0")
    denied = DenyList(client, LIFETIME, Breaker(client.ping))
    before = failures()

    denied.add(uuid4())
    answers = [uuid4() in denied for _ in range(100)]

    assert not any(answers)
    assert failures() == before + 1  # nobody asks again
