"""A thousand clients that dawdle cost the others nothing: slowhttptest against the deployed nginx.

    SLOW_SECONDS=60 ./scripts/test -m slow tests/deploy/test_slow_clients.py -s

As part of all tests it is shorter.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from api.web.asgi.docs import pages
from tests import live, nginx
from tests.spec import CONTRACT
from tests.system import require
from tests.waiting import PATIENCE

pytestmark = pytest.mark.slow
SECONDS = int(os.environ.get("SLOW_SECONDS") or 8)
CONNECTIONS = 1_000
OTHER = "127.0.0.21"
"""Who is not slow calls from elsewhere; an address has no more than 50 connections in use."""
LARGE = next(path for path in pages(CONTRACT) if path.endswith("/redoc.standalone.js"))
ATTACKS = {
    "headers": ["-H", "-u", "{url}/api/v1/posts"],
    "body": ["-B", "-u", "{url}/api/v1/auth/login", "-t", "POST", "-f", "application/json"],
    "reading": [
        "-X",
        "-u",
        "{url}" + LARGE,
        "-w",
        "1",
        "-y",
        "2",
        "-z",
        "1",
    ],
}


@pytest.fixture(scope="module")
def url(
    environment: dict[str, str], app: object, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 3 * CONNECTIONS:
        pytest.skip("needs more open files than this machine allows")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 3 * CONNECTIONS), hard))
    home = tmp_path_factory.mktemp("slow")
    settings = environment | {"TRUSTED_PROXY_HOPS": "1", "RATE_LIMIT_SCALE": "1000"}
    with (
        live.serve(settings, home / "log") as server,
        nginx.in_front_of(server.url, home=home) as url,
    ):
        yield url
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("kind", ATTACKS)
def test_others_are_answered_meanwhile(kind: str, url: str, tmp_path: Path) -> None:
    times = []
    way = httpx.HTTPTransport(local_address=OTHER)
    with (
        attack(kind, url, tmp_path / "log") as process,
        httpx.Client(base_url=url, transport=way, timeout=PATIENCE) as other,
    ):
        while process.poll() is None:
            begun = time.perf_counter()
            assert other.get("/api/v1/posts").status_code == 200
            times.append(time.perf_counter() - begun)
            time.sleep(0.05)

    said = (tmp_path / "log").read_text()
    assert process.returncode == 0, said
    percentiles = statistics.quantiles(times, n=100)
    print(f"{kind}: {len(times)} answers, p50 {percentiles[49]:.3f} s, p99 {percentiles[98]:.3f} s")
    assert len(times) > SECONDS


@contextmanager
def attack(kind: str, url: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    connections = ["-c", str(CONNECTIONS), "-r", "200", "-l", str(SECONDS), "-i", "5", "-p", "3"]
    aim = [argument.format(url=url) for argument in ATTACKS[kind]]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [require("slowhttptest"), *connections, *aim], stdout=output, stderr=output
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(PATIENCE)
