"""Two hosts behind the deployed nginx are restarted in turn while people go on: nobody notices.

ROLLING_RESTARTS and ROLLING_REQUESTS say how often and how many; PROOF=1 asks for ten and 20,000.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import cycle
from pathlib import Path

import pytest

from tests import nginx
from tests.deploy.rolling import CALLERS, GOOD, Host, answers, callers
from tests.people import People
from tests.size import note, size, without_busy

pytestmark = pytest.mark.slow
RESTARTS = int(os.environ.get("ROLLING_RESTARTS") or size(2, 10))
REQUESTS = int(os.environ.get("ROLLING_REQUESTS") or size(1_000, 20_000))


@pytest.fixture
def hosts(environment: dict[str, str], people: People, tmp_path: Path) -> Iterator[list[Host]]:
    settings = environment | {"RATE_LIMIT_SCALE": "1000000", "TRUSTED_PROXY_HOPS": "1"}
    with ExitStack() as stack:
        hosts = []
        for name in ("one", "two"):
            hosts.append(Host(settings, tmp_path / name))
            stack.callback(hosts[-1].stop)
        yield hosts


def test_restarts_in_turn_lose_no_request(
    hosts: list[Host], people: People, tmp_path: Path
) -> None:
    # One person each: what one writes is written one after the other.
    everybody = [people(f"person{number}").auth for number in range(CALLERS)]
    urls = [host.server.url for host in hosts]
    with nginx.in_front_of(*urls, home=tmp_path) as url:
        with callers(url, everybody) as crowd:
            for _, host in zip(range(RESTARTS), cycle(hosts), strict=False):
                host.restart()
            while answers(crowd).total() < REQUESTS:
                assert all(caller.is_alive() for caller in crowd)
                crowd[0].join(0.1)

    note(f"{RESTARTS} rolling restarts under load", f"answers {dict(answers(crowd))}")
    assert without_busy(answers(crowd)).keys() == GOOD, (tmp_path / "nginx.err").read_text()
