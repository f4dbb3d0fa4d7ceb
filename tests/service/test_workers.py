"""What only several processes can show."""

from __future__ import annotations

import platform
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import httpx
import psutil
import pytest

from tests import live
from tests.people import PASSWORD, People, Person

pytestmark = pytest.mark.slow
ARENA = 64 * 2**20
WORKERS = 2
HERE = {"X-Requested-With": "madang-test"}


class TestLogout:
    def test_holds_on_every_worker_at_once(self, server: live.Server, ada: Person) -> None:
        """T9: a connection of its own for each request reaches both workers."""
        login = _post(server, "/auth/login", json={"email": ada.email, "password": PASSWORD})
        bearer = {"Authorization": f"Bearer {login.json()['data']['access_token']}"}
        cookie = {"refresh_token": login.cookies["refresh_token"]}

        assert _post(server, "/auth/logout", headers=HERE, cookies=cookie).status_code == 204

        answers = {_get(server, "/users/me", headers=bearer).status_code for _ in range(40)}
        assert answers == {401}


class TestReuse:
    def test_ends_the_session_for_a_new_process_too(
        self, server: live.Server, ada: Person, environment: dict[str, str], tmp_path: Path
    ) -> None:
        login = _post(server, "/auth/login", json={"email": ada.email, "password": PASSWORD})
        tokens = [login.cookies["refresh_token"]]
        for _ in range(2):
            answer = _post(
                server, "/auth/refresh", headers=HERE, cookies={"refresh_token": tokens[-1]}
            )
            tokens.append(answer.cookies["refresh_token"])
        old = _post(server, "/auth/refresh", headers=HERE, cookies={"refresh_token": tokens[0]})
        assert old.status_code == 401

        same_origin = environment | {"PUBLIC_URL": server.url}
        with live.serve(same_origin, tmp_path / "log") as other:
            newest = {"refresh_token": tokens[-1]}
            assert _post(other, "/auth/refresh", headers=HERE, cookies=newest).status_code == 401
            bearer = {"Authorization": f"Bearer {answer.json()['data']['access_token']}"}
            assert _get(other, "/users/me", headers=bearer).status_code == 401


class TestManyLogins:
    def test_leave_room_for_readers_and_take_little_memory(
        self, environment: dict[str, str], people: People, tmp_path: Path
    ) -> None:
        """A2: one hash of 19 MiB at a time in a worker, for which malloc may need room twice; the rest waits."""
        emails = [people(f"person_{number}").email for number in range(100)]
        settings = environment | {"WEB_CONCURRENCY": "1", "RATE_LIMIT_SCALE": "100"}
        with live.serve(settings, tmp_path / "log") as server, ThreadPoolExecutor(100) as pool:
            before = _memory(server)
            logins = [
                pool.submit(_post, server, "/auth/login", json={"email": e, "password": PASSWORD})
                for e in emails
            ]
            peak, reads = before, []
            while not all(login.done() for login in logins):
                started = time.monotonic()
                assert _get(server, "/posts").status_code == 200
                reads.append(time.monotonic() - started)
                peak = max(peak, _memory(server))
            statuses = {login.result().status_code for login in logins}

        assert 200 in statuses
        assert statuses <= {200, 429, 503}
        assert peak - before <= (2 * 19 * 1.2 + 8) * 2**20
        assert reads


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


def _memory(server: live.Server) -> int:
    """Bytes that the worker processes hold."""
    master = psutil.Process(server.process.pid)
    return sum(child.memory_info().rss for child in master.children())
