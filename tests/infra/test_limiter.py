"""Counting while Redis is there, while it is not, and when it comes back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from limits import RateLimitItemPerMinute, RateLimitItemPerSecond
from redis import Redis
from starlette.testclient import TestClient

from api.infra import limiter
from api.infra.limiter import USE, Counter
from api.infra.metrics import REDIS_FAILURES
from api.infra.redis import REST, Breaker, connect
from tests.infra.link import Link, SlowLink, closed_port, link, silence
from tests.waiting import until
from tests.web.apps import serving

TEN = RateLimitItemPerMinute(10, namespace="limit:tests")
HUNDRED = RateLimitItemPerMinute(100, namespace="limit:tests")
BRIEF = RateLimitItemPerSecond(10, 1, namespace="limit:tests")
POSTS = "/api/v1/posts?q=word"
"""Which is never kept, so each is counted at once."""


def within(counter: Counter, times: int) -> list[bool]:
    return [counter.hit([(TEN, "ada")])[0].within for _ in range(times)]


made: list[Counter] = []


def counter(url: str, processes: int = 2) -> Counter:
    made.append(Counter(url, processes, Breaker(connect(url).ping)))
    return made[-1]


@pytest.fixture(autouse=True)
def _settled() -> Iterator[None]:
    """Nothing of one test is told to Redis in another."""
    yield
    while made:
        made.pop().settle()


@pytest.fixture
def wire(environment: dict[str, str], redis: Redis) -> Iterator[Link]:
    redis.flushdb()
    address = urlsplit(environment["REDIS_URL"])
    with link(address.hostname or "", address.port or 6379) as found:
        yield found


def url(environment: dict[str, str], port: int) -> str:
    parts = urlsplit(environment["REDIS_URL"])
    credentials = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{''.join(credentials[:2])}127.0.0.1:{port}").geturl()


class TestWithRedis:
    def test_all_processes_count_together(self, environment: dict[str, str], wire: Link) -> None:
        one, two = counter(environment["REDIS_URL"]), counter(environment["REDIS_URL"])

        assert within(one, 5) + within(two, 5) == [True] * 10
        assert within(one, 1) + within(two, 1) == [False] * 2

    def test_tells_what_is_left_and_until_when(
        self, environment: dict[str, str], wire: Link
    ) -> None:
        count = counter(environment["REDIS_URL"]).hit([(TEN, "ada")])[0]

        assert count.remaining == 9
        assert 55 < count.resets_at - time.time() <= 61

    def test_counters_of_others_are_others(self, environment: dict[str, str], wire: Link) -> None:
        shared = counter(environment["REDIS_URL"])
        within(shared, 10)

        assert shared.hit([(TEN, "bob")])[0].within


class TestWithoutRedis:
    @pytest.mark.parametrize(("processes", "share"), [(1, 10), (2, 5), (3, 3), (50, 1)])
    def test_each_process_allows_its_share(self, processes: int, share: int) -> None:
        """A known trap: every request was a 500."""
        alone = counter(f"redis://127.0.0.1:{closed_port()}/0", processes)

        assert within(alone, share + 2) == [True] * share + [False] * 2

    def test_a_silent_server_costs_one_short_wait(self) -> None:
        with silence() as port:
            alone = counter(f"redis://127.0.0.1:{port}/0", 1)
            before = REDIS_FAILURES.labels(USE)._value.get()
            assert within(alone, 10) == [True] * 10

        assert REDIS_FAILURES.labels(USE)._value.get() == before + 1

    def test_a_password_that_is_wrong_is_as_good_as_gone(
        self, environment: dict[str, str], wire: Link
    ) -> None:
        parts = urlsplit(environment["REDIS_URL"])
        bad = f"redis://:not-the-password@{parts.netloc.rpartition('@')[2]}{parts.path}"

        assert within(counter(bad, 1), 11) == [True] * 10 + [False]

    def test_requests_go_on_and_are_limited(self, environment: dict[str, str], clean: None) -> None:
        dead = f"redis://127.0.0.1:{closed_port()}/0"
        with serving(
            environment, REDIS_URL=dead, WEB_CONCURRENCY="4", RATE_LIMIT_SCALE="0.2"
        ) as client:
            answers = [client.get(POSTS) for _ in range(7)]

        assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 2
        assert [remaining(answer) for answer in answers] == [4, 3, 2, 1, 0, 0, 0]
        assert "Retry-After" in answers[-1].headers


class TestNoted:
    """Hits that Redis hears of a moment later."""

    def test_nobody_who_is_unknown_is_noted(self, environment: dict[str, str], wire: Link) -> None:
        one = counter(environment["REDIS_URL"])
        assert one.note([(TEN, "ada")]) is None
        one.hit([(TEN, "ada")])
        assert one.note([(TEN, "ada"), (TEN, "bob")]) is None

        noted = one.note([(TEN, "ada")])

        assert noted is not None
        assert noted[0].remaining == 8  # and not one less for those that were not

    def test_they_count_with_the_next_one(self, environment: dict[str, str], wire: Link) -> None:
        one = counter(environment["REDIS_URL"])
        one.hit([(TEN, "ada")])
        for _ in range(8):
            one.note([(TEN, "ada")])

        assert within(one, 1) == [True]
        assert within(one, 1) == [False]

    def test_they_are_seen_by_who_only_looks(self, environment: dict[str, str], wire: Link) -> None:
        one = counter(environment["REDIS_URL"])
        one.hit([(TEN, "ada")])
        one.note([(TEN, "ada")])

        assert one.look(TEN, "ada").remaining == 8
        assert one.look(TEN, "ada").remaining == 8

    def test_they_are_told_to_the_others(self, environment: dict[str, str], wire: Link) -> None:
        one, two = counter(environment["REDIS_URL"]), counter(environment["REDIS_URL"])
        one.hit([(TEN, "ada")])
        one.note([(TEN, "ada")])

        until(lambda: two.look(TEN, "ada").remaining == 8)

    def test_while_they_are_told_they_are_not_forgotten(
        self, environment: dict[str, str], wire: Link
    ) -> None:
        address = urlsplit(environment["REDIS_URL"])
        slow = SlowLink(address.hostname or "", address.port or 6379)
        one = counter(url(environment, slow.port))
        one.hit([(TEN, "ada")])
        slow.delay = 0.5
        left = [found[0].remaining for _ in range(3) if (found := one.note([(TEN, "ada")]))]
        tally = one._tallies[TEN.key_for("ada")]
        until(lambda: tally.noted == 0)  # Redis has not answered yet

        noted = one.note([(TEN, "ada")])
        slow.delay = 0.0
        until(lambda: tally.noted == tally.told == 0)
        slow.cut()
        assert noted
        assert [*left, noted[0].remaining] == [8, 7, 6, 5]
        assert counter(environment["REDIS_URL"]).hit([(TEN, "ada")])[0].remaining == 4

    def test_beyond_the_limit_they_are_refused(
        self, environment: dict[str, str], wire: Link
    ) -> None:
        one = counter(environment["REDIS_URL"])
        one.hit([(TEN, "ada")])
        noted = [one.note([(TEN, "ada")]) for _ in range(11)]

        assert [found[0].within for found in noted if found] == [True] * 9 + [False] * 2

    def test_what_belongs_to_a_window_that_is_over_is_dropped(
        self, environment: dict[str, str], wire: Link, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        one = counter(environment["REDIS_URL"])
        monkeypatch.setattr(limiter, "LATE", 3)
        one.hit([(BRIEF, "ada")])
        one.note([(BRIEF, "ada")])
        until(lambda: one.note([(BRIEF, "ada")]) is None)

        assert one.hit([(BRIEF, "ada")])[0].remaining == 9

    def test_hits_that_are_far_from_the_limit_take_no_trip(
        self, environment: dict[str, str], wire: Link
    ) -> None:
        one = counter(url(environment, wire.port))
        one.hit([(HUNDRED, "ada")])
        wire.cut()

        assert [one.hit([(HUNDRED, "ada")])[0].remaining for _ in range(2)] == [98, 97]
        assert one.hit([(HUNDRED, "ada")])[0].remaining == 47  # of its share, with those two

    def test_near_the_limit_each_hit_asks(self, environment: dict[str, str], wire: Link) -> None:
        one, two = counter(environment["REDIS_URL"]), counter(environment["REDIS_URL"])
        for _ in range(75):
            one.hit([(HUNDRED, "ada")])
        until(lambda: one._tallies[HUNDRED.key_for("ada")].noted == 0)

        left = [each.hit([(HUNDRED, "ada")])[0].remaining for each in (one, two) * 13]

        assert left == [*range(24, -1, -1), 0]

    def test_what_others_used_up_meanwhile_is_asked_for(
        self, environment: dict[str, str], wire: Link, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(limiter, "FRESH", 0.0)
        one, two = counter(environment["REDIS_URL"]), counter(environment["REDIS_URL"])
        two.hit([(HUNDRED, "ada")])
        for _ in range(99):
            one.hit([(HUNDRED, "ada")])

        assert not two.hit([(HUNDRED, "ada")])[0].within

    def test_only_so_many_are_known(
        self, environment: dict[str, str], wire: Link, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        one = counter(environment["REDIS_URL"])
        monkeypatch.setattr(limiter, "MOST_TALLIES", 3)
        for name in ("ada", "bob", "eve"):
            one.hit([(TEN, name)])
        one.note([(TEN, "bob")])
        one.hit([(TEN, "mia")])

        assert one.note([(TEN, "ada")]) is None
        assert one.note([(TEN, "bob")]) is not None  # what was noted is not forgotten
        assert one.note([(TEN, "mia")]) is not None


class TestWhenRedisGoesAndComes:
    def test_counting_goes_on_where_it_stood(
        self, environment: dict[str, str], clean: None, wire: Link
    ) -> None:
        with serving(environment, REDIS_URL=url(environment, wire.port)) as client:
            assert remaining(client.get(POSTS)) == 99
            wire.cut()
            # Hits far from the limit are only noted, until Redis is to be told of them.
            assert until(lambda: counted_here(client)) in range(40, 50)
            wire.mend()
            recovered = until(lambda: above(client, 49), REST * 3)

        assert recovered is not None
        assert recovered in range(96, 99)  # two may have been noted on the way

    def test_an_operator_sees_it(self, environment: dict[str, str], clean: None) -> None:
        dead = f"redis://127.0.0.1:{closed_port()}/0"
        with serving(environment, REDIS_URL=dead) as client:
            assert client.get("/readyz").json()["data"] == {"database": "ok", "redis": "degraded"}


def remaining(response: object) -> int:
    return int(response.headers["X-RateLimit-Remaining"])  # type: ignore[attr-defined]


def counted_here(client: TestClient) -> int | None:
    """The first that is counted without Redis."""
    left = remaining(client.get(POSTS))
    return left if left < 90 else None


def above(client: TestClient, bound: int) -> int | None:
    left = remaining(client.head(POSTS))
    return left if left > bound else None
