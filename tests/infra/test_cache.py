"""What is kept is believed while it is true, and by nobody who cannot know."""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from redis import Redis

from api.app import App
from api.errors import Forbidden
from api.infra.cache import EPOCH, POSTS, PublicCache, forget
from api.infra.db import db, transactional
from scripts.process import wait_for
from tests.auth.flows import at_once
from tests.infra.caches import A_LIST, A_PROFILE, PAGE, PATIENCE, PROFILE, Process, sample, stored
from tests.infra.link import closed_port

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


def key_of(redis: Redis, end: str) -> str:
    [key] = [key for key in stored(redis) if key.endswith(end)]
    return key


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

        lists = {f"{POSTS}:generation", f"{POSTS}:{PAGE}"}
        assert set(stored(redis)) == {EPOCH, *lists, f"{PROFILE}:generation", PROFILE}
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
