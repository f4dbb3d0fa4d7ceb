"""What only several processes can show."""

from __future__ import annotations

import platform
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import httpx
import psutil
import pytest

from tests import live

pytestmark = pytest.mark.slow
ARENA = 64 * 2**20
WORKERS = 2


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no arenas")
def test_the_threads_of_a_worker_share_what_is_free(
    environment: dict[str, str], app: object, tmp_path: Path
) -> None:
    """What lies at the end of an arena of another thread is never given back."""
    more = {"METRICS_PORT": str(live.free_port()), "BIND": "127.0.0.1"}
    settings = environment | more | {"WEB_CONCURRENCY": str(WORKERS)}
    with live.serve(settings, tmp_path / "log") as server:
        with ThreadPoolExecutor(20) as pool:
            list(pool.map(lambda _: _get(server, "/posts?size=1"), range(40)))
        family = psutil.Process(server.process.pid).children()
        arenas = [_arenas(each) for each in family if _is_a_worker(each)]

    assert len(arenas) >= WORKERS
    assert not any(arenas)


def test_serves_on_uvicorns_worker_too(
    environment: dict[str, str], app: object, tmp_path: Path
) -> None:
    arguments = ("-k", "uvicorn_worker.UvicornWorker")
    with live.serve(environment, tmp_path / "log", *arguments) as server:
        assert _get(server, "/posts").status_code == 200
        refused = _post(server, "/posts", json={})
        assert refused.status_code == 401
        assert refused.json()["error"]["request_id"] == refused.headers["X-Request-ID"]


def _get(server: live.Server, path: str, **options: object) -> httpx.Response:
    return httpx.get(f"{server.url}/api/v1{path}", timeout=20, **options)  # type: ignore[arg-type]


def _post(server: live.Server, path: str, **options: object) -> httpx.Response:
    return httpx.post(f"{server.url}/api/v1{path}", timeout=20, **options)  # type: ignore[arg-type]


def _is_a_worker(process: psutil.Process) -> bool:
    return any("gunicorn" in part for part in process.cmdline())


def _arenas(process: psutil.Process) -> list[str]:
    """Those of glibc that threads have besides the first: 64 MiB of addresses each, of which the beginning is used."""
    lines = [line.split() for line in Path(f"/proc/{process.pid}/maps").read_text().splitlines()]
    return [
        line[0]
        for line, after in pairwise(lines)
        if line[1].startswith("rw") and after[1].startswith("---")
        if int(line[0].split("-")[0], 16) % ARENA == 0
        if int(after[0].split("-")[1], 16) % ARENA == 0
    ]
