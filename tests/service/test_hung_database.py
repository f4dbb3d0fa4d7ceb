"""A PostgreSQL that is stopped, not gone: its connections stay open and say nothing."""

from __future__ import annotations

import itertools
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from scripts import embedded
from tests import live

pytestmark = pytest.mark.slow
SECRET = "a signing key for tests, 32 bytes or more"
_moments = itertools.count()
LATEST = 8.0
"""Seconds: the deadline of five, and what a loaded machine adds."""


@pytest.fixture
def servers() -> Iterator[embedded.Servers]:
    with embedded.scratch_home() as home, embedded.servers(home, fast=True) as servers:
        yield servers


def test_is_a_503_in_time_and_heals(servers: embedded.Servers, tmp_path: Path) -> None:
    settings = {
        "ENVIRONMENT": "test",
        "DATABASE_URL": servers.database_url,
        "REDIS_URL": servers.redis_url,
        "JWT_SECRET_KEY": SECRET,
        "WEB_CONCURRENCY": "1",
    }
    live.madang("release", settings)
    with live.serve(settings, tmp_path / "log") as server:
        assert _list(server).status_code == 200
        assert _list(server, kept=True).status_code == 200
        _signal(servers, signal.SIGSTOP)
        try:
            assert _list(server, kept=True).status_code == 200
            started = time.monotonic()
            answer = _list(server)
            assert time.monotonic() - started < LATEST
            assert answer.status_code == 503
            assert answer.headers["Retry-After"]
            assert answer.json()["error"]["code"] == "TIMEOUT"
        finally:
            _signal(servers, signal.SIGCONT)
        end = time.monotonic() + 10
        while _list(server).status_code != 200:
            assert time.monotonic() < end


def _list(server: live.Server, *, kept: bool = False) -> httpx.Response:
    """*kept*: one that Redis may know already."""
    since = f"2026-01-01T00:00:00.{next(_moments):06}Z"
    params = {} if kept else {"created_after": since}
    return httpx.get(f"{server.url}/api/v1/posts", params=params, timeout=20)


def _signal(servers: embedded.Servers, number: signal.Signals) -> None:
    assert servers.postgres is not None
    assert servers.postgres.process is not None
    postmaster = psutil.Process(servers.postgres.process.pid)
    for process in [postmaster, *postmaster.children(recursive=True)]:
        process.send_signal(number)
