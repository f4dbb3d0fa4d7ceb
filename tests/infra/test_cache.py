"""What is kept is believed while it is true, and by nobody who cannot know."""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from prometheus_client import REGISTRY
from redis import Redis

from api.app import App
from api.errors import Forbidden
from api.infra import losses
from api.infra.cache import EPOCH, POSTS, Flights, PublicCache, forget
from api.infra.db import db, transactional
from scripts import embedded
from scripts.process import wait_for
from tests.auth.flows import at_once
from tests.infra.link import Link, closed_port, link, silence

PROFILE = "user:profile:01a20547-abc9-7556-b949-68714accd4b0"
PAGE = "page:1:size:20"
A_LIST, A_PROFILE = (POSTS, PAGE), (PROFILE, "")
PATIENCE = 10.0
NOT_OURS = {
    "a pickle": pickle.dumps({"answer": 1}),
    "a pickle of the stock serializer": b"!" + pickle.dumps({"answer": 1}),
    "no JSON": b'{"answer": ',
    "too deep": b"[" * 99_999,
    "a number": b"7",
    "an object": b"{}",
    "an answer of no generation": b'{"answer": 1}',
    "an answer of another generation": b'{"answer": 1, "generation": "0.0"}',
}


class Source:
    """Where an answer comes from: what is true now, and how often that was asked."""

    def __init__(self) -> None:
        self.truth, self.asked = 0, 0

    def __call__(self) -> dict[str, int]:
        self.asked += 1
        return {"truth": self.truth}


class Process:
    """One of several, as it reads and writes one answer."""

    def __init__(self, url: str, source: Source, group: str = POSTS, rest: str = PAGE) -> None:
        self.cache, self.source = PublicCache(Flask(__name__), url), source
        self.group, self.rest = group, rest

    def read(self, fill: Callable[[], Any] | None = None) -> Any:
        answer = self.cache.remembered(self.group, self.rest, 60, fill or self.source)
        return answer["truth"]

    def write(self) -> int:
        self.source.truth += 1
        self.cache.forget(self.group)
        return self.source.truth

    def keeps(self) -> bool:
        """Whether the second of two readers is told what the first one was; both are told the truth."""
        assert self.read() == self.source.truth
        asked = self.source.asked
        assert self.read() == self.source.truth
        return self.source.asked == asked


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


@pytest.fixture
def wire(environment: dict[str, str], empty: None) -> Iterator[Link]:
    address = urlsplit(environment["REDIS_URL"])
    with link(address.hostname or "", address.port or 6379) as found:
        yield found


@pytest.fixture
def behind(environment: dict[str, str], wire: Link, process: Process) -> Process:
    """A process whose way to Redis can be cut; otherwise like those that ``start`` starts."""
    parts = urlsplit(environment["REDIS_URL"])
    at = parts.netloc.rpartition("@")
    url = parts._replace(netloc=f"{''.join(at[:2])}127.0.0.1:{wire.port}").geturl()
    return Process(url, process.source, process.group, process.rest)


def stored(redis: Redis) -> dict[str, Any]:
    return {key.decode(): redis.get(key) for key in redis.scan_iter()}


def key_of(redis: Redis, end: str) -> str:
    [key] = [key for key in stored(redis) if key.endswith(end)]
    return key


def sample(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def crowd(cache: PublicCache) -> int:
    """How many are at the one key that is asked for."""
    return max((number for _, number in list(cache._flights._waiting.values())), default=0)


class TestKeeping:
    def test_only_the_first_reader_asks_the_source(self, process: Process) -> None:
        assert [process.read() for _ in range(5)] == [0] * 5
        assert process.source.asked == 1

    def test_what_differs_in_anything_is_another_answer(self, process: Process) -> None:
        process.read()
        for group, rest in ((POSTS, "page:2"), (POSTS, ""), (PROFILE[:-1], ""), (PROFILE, "x")):
            asked = process.source.asked
            process.cache.remembered(group, rest, 60, process.source)
            assert process.source.asked == asked + 1, (group, rest)

    @pytest.mark.parametrize("kind", [A_LIST])
    def test_keys_are_named_as_documented_and_values_are_json(
        self, process: Process, redis: Redis
    ) -> None:
        process.read()
        process.cache.remembered(*A_PROFILE, 60, process.source)

        names = {re.sub(r"[0-9a-f]{16}\.[0-9a-f]{16}", "{}", key) for key in stored(redis)}
        lists = {f"{POSTS}:generation", f"{POSTS}:{{}}:{PAGE}"}
        assert names == {EPOCH, *lists, f"{PROFILE}:generation", PROFILE}
        assert len([json.loads(value) for value in stored(redis).values()]) == 5

    @pytest.mark.parametrize("kind", [A_LIST])
    def test_lifetimes_are_spread_by_a_tenth(self, process: Process, redis: Redis) -> None:
        for number in range(60):
            process.cache.remembered(POSTS, f"page:{number}", 1000, process.source)

        left = [int(redis.ttl(key)) for key in stored(redis) if ":page:" in key]  # type: ignore[arg-type]
        assert len(left) == 60
        assert min(left) >= 895
        assert max(left) <= 1100
        assert max(left) - min(left) > 100

    @pytest.mark.parametrize("kind", [A_LIST])
    def test_an_operator_sees_how_it_does(self, process: Process) -> None:
        def seen() -> list[float]:
            results = ("hit", "miss", "bypass")
            return [sample("cache_requests_total", cache="posts", result=r) for r in results]

        before = seen()
        for _ in range(3):
            process.read()
        Process(f"redis://127.0.0.1:{closed_port()}/0", process.source).read()

        assert [after - was for after, was in zip(seen(), before, strict=True)] == [2, 1, 1]


class TestForgetting:
    def test_the_next_reader_of_any_process_is_told_the_truth(
        self, start: Callable[[], Process]
    ) -> None:
        one, two = start(), start()
        for writer in (one, two) * 20:
            assert one.keeps()
            assert two.keeps()
            new = writer.write()
            assert (two.read(), one.read()) == (new, new)

    def test_what_others_keep_stays(self, process: Process) -> None:
        process.read()

        process.cache.forget("posts:other")

        assert process.keeps()
        assert process.source.asked == 1

    def test_what_a_slow_reader_keeps_too_late_is_never_believed(
        self, start: Callable[[], Process]
    ) -> None:
        """It asked the source before the write, and stores after it, even over what is newer."""
        slow, quick = start(), start()
        has_asked, may_store = Event(), Event()

        def ask() -> dict[str, int]:
            answer = slow.source()
            has_asked.set()
            assert may_store.wait(PATIENCE)
            return answer

        with ThreadPoolExecutor(1) as pool:
            late = pool.submit(slow.read, ask)
            assert has_asked.wait(PATIENCE)
            new = quick.write()
            assert quick.read() == new
            may_store.set()
            assert late.result() == 0

        assert [each.read() for each in (quick, slow) * 2] == [new] * 4

    def test_waits_for_the_commit(self, app: App, empty: None, redis: Redis) -> None:
        during = []

        @transactional
        def write(*, fail: bool) -> None:
            forget(db.session(), POSTS)
            during.append(stored(redis))
            if fail:
                raise Forbidden()

        with app.flask.app_context():
            with pytest.raises(Forbidden):
                write(fail=True)
            assert stored(redis) == {}
            write(fail=False)

        assert during == [{}, {}]
        assert f"{POSTS}:generation" in stored(redis)


class TestGenerations:
    @pytest.mark.parametrize("word", [EPOCH, ":generation"])
    def test_one_that_is_lost_takes_its_answers_with_it(
        self, start: Callable[[], Process], redis: Redis, word: str
    ) -> None:
        """As by eviction: what bore it may still be there, and must never count again."""
        one, two = start(), start()
        assert one.keeps()
        key = key_of(redis, word)
        old = redis.get(key)

        redis.delete(key)
        one.source.truth += 1

        assert one.keeps()
        assert two.keeps()
        assert redis.get(key) not in (None, old)

    def test_processes_that_make_one_at_once_agree(
        self, start: Callable[[], Process], redis: Redis
    ) -> None:
        pair = start(), start()
        assert all(each.keeps() for each in pair)
        for _ in range(20):
            redis.flushdb()
            at_once(8, lambda n: pair[n % 2].read())
            asked = pair[0].source.asked
            assert [each.read() for each in pair] == [0, 0]
            assert pair[0].source.asked == asked

    @pytest.mark.parametrize("kind", [A_LIST])
    @pytest.mark.parametrize("word", [EPOCH, ":generation"])
    @pytest.mark.parametrize("what", ["a pickle", "too deep", "a number"])
    def test_one_that_is_not_ours_is_replaced(
        self, process: Process, redis: Redis, word: str, what: str
    ) -> None:
        process.read()
        key = key_of(redis, word)
        redis.set(key, NOT_OURS[what])
        process.source.truth += 1

        assert process.read() == process.source.truth
        assert wait_for(process.keeps, PATIENCE)
        assert re.fullmatch(r'"[0-9a-f]{16}"', stored(redis)[key].decode())


@pytest.mark.parametrize("kind", [A_PROFILE])
class TestWhatIsNotOurs:
    @pytest.mark.parametrize("what", NOT_OURS)
    def test_is_as_good_as_absent(self, process: Process, redis: Redis, what: str) -> None:
        process.read()
        redis.set(key_of(redis, PROFILE), NOT_OURS[what])
        process.source.truth += 1

        assert process.keeps()
        assert process.source.asked == 2

    def test_is_never_run(self, process: Process, redis: Redis, tmp_path: Path) -> None:
        class Trap:
            def __reduce__(self) -> tuple[Any, ...]:
                return Path.touch, (tmp_path / "it ran",)

        process.read()
        for trap in (pickle.dumps(Trap()), b"!" + pickle.dumps(Trap())):
            redis.set(key_of(redis, PROFILE), trap)
            assert process.read() == 0

        assert not list(tmp_path.iterdir())


class TestAtOnce:
    def test_one_asks_and_the_others_wait_for_it(self, process: Process) -> None:
        def ask() -> dict[str, int]:
            wait_for(lambda: crowd(process.cache) == 20, 2)
            return process.source()

        assert at_once(20, lambda _: process.read(ask)) == [0] * 20
        assert process.source.asked == 1

    def test_who_wants_something_else_does_not_wait(self, process: Process) -> None:
        def ask() -> dict[str, int]:
            with ThreadPoolExecutor(1) as pool:
                other = pool.submit(process.cache.remembered, POSTS, "page:2", 60, process.source)
                return other.result(PATIENCE)

        assert process.read(ask) == 0

    def test_a_failure_is_its_own_and_the_next_one_tries(self, process: Process) -> None:
        def fail() -> None:
            wait_for(lambda: crowd(process.cache) == 2, 2)
            raise Forbidden()

        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(process.read, fail)
            assert wait_for(lambda: crowd(process.cache) == 1, PATIENCE)
            second = pool.submit(process.read)
            assert isinstance(first.exception(PATIENCE), Forbidden)
            assert second.result(PATIENCE) == 0

        assert process.keeps()
        assert process.source.asked == 1

    def test_nothing_is_left_of_a_flight(self) -> None:
        flights = Flights()

        with flights.alone("a") as first, flights.alone("b") as second:
            assert first
            assert second
        with pytest.raises(Forbidden), flights.alone("a"):
            raise Forbidden()

        assert flights._waiting == {}


class TestWithoutRedis:
    @pytest.fixture(params=["refused", "silent"])
    def gone(self, request: pytest.FixtureRequest, kind: tuple[str, str]) -> Iterator[Process]:
        with silence() as port:
            at = closed_port() if request.param == "refused" else port
            yield Process(f"redis://127.0.0.1:{at}/0", Source(), *kind)

    def test_everybody_is_told_the_truth_and_one_call_fails(self, gone: Process) -> None:
        before = sample("redis_failures_total", use="cache")

        for _ in range(20):
            assert not gone.keeps()
            assert gone.write() == gone.read()

        assert sample("redis_failures_total", use="cache") == before + 1

    def test_a_full_one_refuses_and_nobody_minds(self, redis: Redis, process: Process) -> None:
        assert process.keeps()
        limits: Any = redis.config_get("maxmemory*")
        redis.config_set("maxmemory-policy", "noeviction")
        redis.config_set("maxmemory", 1)
        try:
            for _ in range(5):
                assert process.write() == process.read()
        finally:
            for name in ("maxmemory", "maxmemory-policy"):
                redis.config_set(name, limits[name])

        assert wait_for(process.keeps, PATIENCE)


class TestWhenRedisGoesAndComes:
    def test_nothing_kept_before_is_believed_and_then_it_is_used_again(
        self, behind: Process, process: Process, wire: Link
    ) -> None:
        assert behind.keeps()
        wire.cut()
        new = behind.write()
        assert [behind.read() for _ in range(3)] == [new] * 3
        wire.mend()

        assert wait_for(behind.keeps, PATIENCE)
        assert process.read() == new

    @pytest.mark.parametrize("kind", [A_LIST])
    def test_a_writer_always_reads_its_own_write(self, behind: Process, wire: Link) -> None:
        """However loss, return and write fall together."""

        def cut_and_mend() -> None:
            for _ in range(5):
                wire.cut()
                wire.mend()
                wait_for(lambda: behind.cache._trusted == losses.word(), 1)

        thread = Thread(target=cut_and_mend)
        thread.start()
        try:
            while thread.is_alive():
                assert behind.write() == behind.read()
        finally:
            thread.join()

        assert wait_for(behind.keeps, PATIENCE)

    def test_a_write_that_is_missed_while_the_epoch_is_on_its_way_is_not_forgotten(
        self, behind: Process, process: Process, wire: Link, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Others believe the new epoch already, and its sender has not heard that it arrived."""
        store, missed = behind.cache._store.set, list[int]()

        def arrive(key: str, *rest: Any) -> Any:
            answer = store(key, *rest)
            if key == EPOCH and not missed:
                process.read()
                missed.append(behind.write())
            return answer

        assert behind.keeps()
        wire.cut()
        behind.write()
        monkeypatch.setattr(behind.cache._store, "set", arrive)
        wire.mend()

        assert wait_for(lambda: bool(missed) and behind.cache._trusted == losses.word(), PATIENCE)
        assert process.read() == missed[0]

    def test_a_server_that_loaded_what_it_once_saved_brings_nothing_back(
        self, behind: Process, redis: Redis, wire: Link
    ) -> None:
        """It was killed and started between two calls, so no call failed."""
        assert behind.keeps()
        saved = stored(redis)
        new = behind.write()
        wire.cut()
        with embedded.scratch_home() as home, embedded.servers(home, database=False) as servers:
            with Redis.from_url(servers.redis_url) as restarted:
                for key, value in saved.items():
                    restarted.set(key, value)
                restarted.config_set("requirepass", redis.get_connection_kwargs()["password"])
            wire._target = ("127.0.0.1", urlsplit(servers.redis_url).port or 0)
            wire.mend()

            assert behind.read() == new
            assert wait_for(behind.keeps, PATIENCE)

    def test_who_starts_meanwhile_does_not_believe_what_was_kept(
        self, behind: Process, start: Callable[[], Process], wire: Link
    ) -> None:
        """The one process that knows of the loss was replaced before it could tell."""
        assert start().keeps()
        wire.cut()
        new = behind.write()

        assert start().read() == new
