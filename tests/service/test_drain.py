"""A service that is told to stop finishes what it began, and says of each connection that it ends."""

from __future__ import annotations

import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from api.app import App
from tests import live
from tests.infra.outages import locked
from tests.people import People
from tests.waiting import PATIENCE, until

POST = {"title": "마당", "body": "Begun before the end."}
Query = Callable[..., list[tuple[object, ...]]]
pytestmark = pytest.mark.slow
AT_ONCE = 12
"""Seconds: less than half of what gunicorn gives a worker to finish in."""


def test_an_open_connection_is_told_that_it_ends(
    environment: dict[str, str], app: App, clean: None, tmp_path: Path
) -> None:
    with live.serve(environment, tmp_path / "log") as server:
        connection = HTTPConnection(urlsplit(server.url).netloc, timeout=PATIENCE)
        assert ask(connection, "/readyz") == (200, None)

        server.process.send_signal(signal.SIGTERM)

        until(lambda: ask(connection, "/readyz") == (503, "close"))
        assert server.process.wait(PATIENCE) == 0


def test_a_connection_on_which_nobody_asks_is_not_waited_for(
    environment: dict[str, str], app: App, clean: None, tmp_path: Path
) -> None:
    """A load balancer keeps some for a minute; gunicorn would use all of its 25 s."""
    with live.serve(environment, tmp_path / "log") as server:
        with closing(HTTPConnection(urlsplit(server.url).netloc, timeout=PATIENCE)) as connection:
            assert ask(connection, "/readyz") == (200, None)

            server.process.send_signal(signal.SIGTERM)

            assert server.process.wait(PATIENCE) == 0
    assert "Forcing close" not in (tmp_path / "log").read_text()


def test_what_was_begun_is_finished(
    environment: dict[str, str], app: App, people: People, query: Query, tmp_path: Path
) -> None:
    ada = people("ada")
    with (
        live.serve(environment, tmp_path / "log") as server,
        ThreadPoolExecutor() as pool,
        httpx.Client(base_url=server.url, headers=ada.auth, timeout=PATIENCE) as client,
    ):
        with locked(app, "posts"):
            answer = pool.submit(client.post, "/api/v1/posts", json=POST)
            until(lambda: query("SELECT 1 FROM pg_locks WHERE NOT granted"))
            server.process.send_signal(signal.SIGTERM)

        assert answer.result().status_code == 201
        assert server.process.wait(PATIENCE) == 0
    assert query("SELECT title FROM posts") == [("마당",)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
@pytest.mark.parametrize("whom", ["gunicorn", "each process, as a terminal does"])
def test_a_worker_that_is_still_loading_ends_at_once(
    environment: dict[str, str], tmp_path: Path, number: signal.Signals, whom: str
) -> None:
    """uvloop's handlers hear nothing before the loop runs: it would be killed after 25 s."""
    loading = "tests.service.never_loaded:app"
    with live.started(environment, tmp_path / "log", application=loading) as server:
        until(lambda: server.log.read_text().count("It loads.") == 2)

        gunicorn = psutil.Process(server.process.pid)
        told = [gunicorn] if whom == "gunicorn" else [gunicorn, *gunicorn.children()]
        for process in told:
            process.send_signal(number)

        assert server.process.wait(AT_ONCE) == 0
    assert "SIGQUIT" not in (tmp_path / "log").read_text()


def ask(connection: HTTPConnection, path: str) -> tuple[int, str | None]:
    connection.request("GET", path)
    answer = connection.getresponse()
    answer.read()
    return answer.status, answer.headers["Connection"]
