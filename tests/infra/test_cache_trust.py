"""Nobody believes what was kept who may have missed that it is true no longer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest
from redis import Redis

from api.infra.cache import EPOCH
from scripts import embedded
from scripts.process import wait_for
from tests.infra.caches import A_LIST, PATIENCE, Process, Source, sample, stored
from tests.infra.link import Link, closed_port, link, silence


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
                wait_for(lambda: behind.cache._trust.holds, 1)

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

        assert wait_for(lambda: bool(missed) and behind.cache._trust.holds, PATIENCE)
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
                restarted.acl_setuser(**whoever(redis))
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


def whoever(redis: Redis) -> dict[str, Any]:
    """The user that *redis* logs in as, for another server."""
    given = redis.get_connection_kwargs()
    rights = {"keys": ["*"], "channels": ["*"], "commands": ["+@all"]}
    name, password = given.get("username") or "default", f"+{given['password']}"
    return {"username": name, "enabled": True, "reset": True, "passwords": [password], **rights}
