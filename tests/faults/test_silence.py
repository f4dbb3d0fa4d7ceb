"""Servers that live and say nothing: connections stay open, and no driver sees it. F3, F9."""

from __future__ import annotations

import time
from contextlib import ExitStack
from statistics import quantiles

import pytest

from tests.faults.callers import KINDS, asking
from tests.faults.conftest import Yard
from tests.size import note, size
from tests.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.no_cover]  # what is tested are other processes
SECONDS = size(12, 30)
"""Longer than any deadline."""
LATEST = size(7.0, 5.1)
"""Seconds: the deadline is 5, and the machine may have more to do."""
FOUND = 1.0
"""Seconds after which each process knows that a server is silent: until then a call has waited 0.1 s to find out."""
READS = ("kept", "public", "own")
UNAVAILABLE = {(503, "DB_UNAVAILABLE"), (503, "TIMEOUT"), (503, "OVERLOADED")}


def healthy(yard: Yard) -> bool:
    with asking(yard, each=1) as heard:
        pass
    return all(answer.status < 300 for answers in heard.by_kind.values() for answer in answers)


def test_without_a_word_of_postgresql_nobody_waits_longer_than_five_seconds(yard: Yard) -> None:
    until(lambda: healthy(yard))
    with yard.stopped(yard.postgres), asking(yard) as heard:
        time.sleep(SECONDS)  # how long it lasts is the test
    began = time.monotonic()
    until(lambda: healthy(yard))
    healed = time.monotonic() - began

    note(
        f"PostgreSQL stopped for {SECONDS} s",
        f"{sum(map(len, heard.by_kind.values()))} answers, the slowest after {heard.slowest:.2f} s; "
        f"all well again after {healed:.2f} s",
    )
    assert heard.slowest < LATEST
    for kind in KINDS:
        wanted = UNAVAILABLE
        if kind == "alive":
            wanted = {(200, "")}
        elif kind in ("kept", "ready"):  # what was found a second ago is said again
            wanted = UNAVAILABLE | {(200, "")}
        assert heard.outcomes(kind) <= wanted, kind
    assert healed < size(10, 5)


def test_without_a_word_of_redis_all_goes_on(yard: Yard) -> None:
    until(lambda: healthy(yard))
    with yard.stopped(yard.valkey), asking(yard) as heard:
        time.sleep(size(3, 30))

    assert heard.slowest < LATEST
    for kind in KINDS:
        assert heard.outcomes(kind) <= {(200, ""), (201, "")}, kind


@pytest.mark.parametrize(("outage", "after"), [("stopped", FOUND), ("gone", 0.0)])
def test_reads_without_redis_take_no_more_than_twice_as_long(
    yard: Yard, outage: str, after: float
) -> None:
    """In alternation, since the machine may have more to do."""
    until(lambda: healthy(yard))
    times: dict[bool, list[float]] = {True: [], False: []}
    slowest = 0.0
    for number in range(size(2, 20)):
        without = number % 2 == 1
        with ExitStack() as stack:
            if without:
                stack.enter_context(getattr(yard, outage)(yard.valkey))
            with asking(yard, *READS, each=1) as heard:
                time.sleep(size(2, 5))
        for kind in READS:
            assert heard.outcomes(kind) == {(200, "")}, kind
            times[without] += [each.seconds for each in heard.asked(kind, after)]
        slowest = max(slowest, heard.slowest)

    usual, found = (quantiles(times[without], n=100)[98] * 1000 for without in (False, True))
    since = f" for {after:.0f} s" if after else ""
    note(
        f"Reads with Redis {outage}{since}",
        f"p99 {found:.0f} ms, with it {usual:.0f} ms; the slowest of all {slowest * 1000:.0f} ms",
    )
    assert found < usual * size(20, 2)
    assert slowest < size(7.0, 1.0)
