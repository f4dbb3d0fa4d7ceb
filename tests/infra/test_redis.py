"""A failed call costs one short wait, and then none for a while."""

from __future__ import annotations

import time

import pytest
from redis import Redis
from redis.exceptions import ResponseError

from api.infra.metrics import REDIS_FAILURES
from api.infra.redis import REST, TIMEOUT, Breaker, connect
from tests.infra.link import closed_port, silence


def failures(use: str) -> float:
    return REDIS_FAILURES.labels(use)._value.get()


def breaker(client: Redis | None = None) -> Breaker:
    return Breaker((client or connect(f"redis://127.0.0.1:{closed_port()}/0")).ping)


def test_what_redis_says_is_passed_on(redis: Redis) -> None:
    assert breaker().call("tests", redis.ping, lambda: False) is True


def test_a_failure_is_counted_and_the_substitute_answers() -> None:
    client, before = connect(f"redis://127.0.0.1:{closed_port()}/0"), failures("tests")

    assert breaker().call("tests", client.ping, lambda: "substitute") == "substitute"

    assert failures("tests") == before + 1


def test_after_a_failure_redis_rests() -> None:
    fallible, calls = breaker(), 0

    def fails() -> str:
        nonlocal calls
        calls += 1
        raise ConnectionError

    assert {fallible.call("tests", fails, lambda: "substitute") for _ in range(100)} == {
        "substitute"
    }
    assert calls == 1


def test_after_a_failure_of_one_use_nobody_finds_out_again() -> None:
    with silence() as port:
        client = connect(f"redis://127.0.0.1:{port}/0")
        shared = breaker(client)
        shared.call("tests", client.ping, lambda: None)

        assert shared.call("others", pytest.fail, lambda: "substitute") == "substitute"


def test_after_its_rest_redis_is_asked_again(redis: Redis) -> None:
    fallible = breaker(redis)
    fallible.call("tests", lambda: redis.execute_command("NO SUCH COMMAND"), lambda: None)

    end = time.monotonic() + 3 * REST
    while fallible.call("tests", redis.ping, lambda: False) is not True:
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("command", ["LPUSH text x", "NO SUCH COMMAND"])
def test_a_refusal_by_the_server_is_a_failure(redis: Redis, command: str) -> None:
    """As when it is full (OOM) or a replica (READONLY): those are errors in answers, too."""
    redis.set("text", "x")
    with pytest.raises(ResponseError):
        redis.execute_command(*command.split())

    assert (
        breaker(redis).call("tests", lambda: redis.execute_command(*command.split()), lambda: 7)
        == 7
    )


def test_a_fault_of_our_own_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        breaker().call("tests", lambda: 1 // 0, lambda: 0)


def test_a_silent_server_is_given_up_within_the_timeout() -> None:
    with silence() as port:
        client = connect(f"redis://127.0.0.1:{port}/0")
        started = time.monotonic()
        fallible = breaker(client)
        assert fallible.call("tests", client.ping, lambda: False) is False
        assert time.monotonic() - started < TIMEOUT * 50  # else it would be for ever

        # Afterwards nobody asks it any more, however long it is silent.
        end = time.monotonic() + 3 * REST
        while time.monotonic() < end:
            assert fallible.call("tests", pytest.fail, lambda: False) is False
            time.sleep(0.02)
