from __future__ import annotations

from collections.abc import Callable

import pytest
from redis import Redis


@pytest.fixture
def fresh_limits(redis: Redis) -> Callable[[], None]:
    """Forget what was counted, for tests that write more than anybody may in a minute."""

    def forget() -> None:
        redis.flushdb()

    return forget
