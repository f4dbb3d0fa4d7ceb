"""What was acknowledged stays, once, whatever is killed: F1, F8, F11."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.faults.conftest import Yard, kill
from tests.faults.ledger import Ledger, written
from tests.size import note, size
from tests.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.no_cover]  # what is tested are other processes
HONEST = {
    "broken connection",
    "503 DB_UNAVAILABLE",
    "503 OVERLOADED",
    "503 TIMEOUT",
    "409 REQUEST_IN_PROGRESS",
}
"""A repeat may come while what it repeats is still under way; its answer says so."""
LISTENS = b"ASGI server listening"
"""What gunicorn says of each worker that is ready."""
SOON = size(10.0, 2.0)
"""Seconds to the first good write after PostgreSQL accepts again; here the machine may have more to do."""


def kill_postgres(yard: Yard) -> float:
    """When it accepts again."""
    kill(yard.postgres)
    yard.postgres.start()
    return time.monotonic()


def kill_a_worker(yard: Yard) -> float:
    served = yard.server.log.read_bytes().count(LISTENS)
    yard.workers[0].kill()
    killed = time.monotonic()
    until(lambda: yard.server.log.read_bytes().count(LISTENS) > served)
    return killed


def kill_redis(yard: Yard) -> float:
    kill(yard.valkey)
    yard.valkey.start()
    return time.monotonic()


@pytest.mark.parametrize(
    ("name", "strike", "times", "writes"),
    [
        ("PostgreSQL", kill_postgres, size(2, 50), size(100, 8_000)),
        ("a worker", kill_a_worker, size(2, 50), size(100, 8_000)),
        ("Redis", kill_redis, size(2, 20), size(100, 4_000)),
    ],
)
def test_what_was_acknowledged_stays_once(
    yard: Yard, name: str, strike: Callable[[Yard], float], times: int, writes: int
) -> None:
    recoveries = []
    with written(yard) as ledger:
        for number in range(times):
            reach(ledger, writes * number // times)
            recoveries.append(recovery(ledger, strike(yard)))
        reach(ledger, writes)

    lost, doubled = ledger.lost_and_doubled(yard)
    recoveries.sort()
    note(
        f"{name}: {times} times kill -9 under load",
        f"{ledger.written} acknowledged, {len(lost)} lost, {len(doubled)} doubled; failures "
        f"{dict(ledger.failures)}; first write after it was back: median "
        f"{recoveries[times // 2]:.2f} s, worst {recoveries[-1]:.2f} s; slowest answer {ledger.longest:.1f} s",
    )
    assert not lost
    assert not doubled
    assert ledger.failures.keys() <= HONEST
    assert recoveries[-1] < SOON


def recovery(ledger: Ledger, back: float) -> float:
    """Seconds from then until something is acknowledged."""
    first = until(lambda: ledger.first_after(back))
    assert first
    return first - back


def reach(ledger: Ledger, writes: int) -> None:
    begun = ledger.written
    until(lambda: ledger.written >= max(writes, begun + 10), patience=300)
