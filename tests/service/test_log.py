"""What a whole service writes, from its first line to its last, and what happens when nobody reads it."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from tests import live
from tests.people import Person
from tests.service.test_metrics import Service
from tests.waiting import PATIENCE, until, until_it_answers

pytestmark = pytest.mark.slow
POSTS = "/api/v1/posts"
FIELDS = {"timestamp", "level", "logger", "message", "service", "env", "version"}
OF_A_REQUEST = {
    *("request_id", "trace_id", "span_id", "user_id", "method", "route", "status"),
    *("duration_ms", "bytes", "ip", "user_agent", "code", "faults"),
}


def test_every_line_is_one_object_from_the_start_to_the_end(
    environment: dict[str, str], app: object, ada: Person, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with live.serve(environment, log, "--log-level", "debug") as server:
        with server.client() as client:
            agent = {b"User-Agent": "a\u2028b\x1b[31m".encode()}
            client.get(POSTS, headers=agent)
            client.get(POSTS, headers=ada.auth)
            client.get("/nowhere")
            client.post(POSTS, content=b"{")
        address = urlsplit(server.url)
        with socket.create_connection((address.hostname, address.port)) as raw:
            raw.sendall(b"GET \xff\r\n\x1b[31m\r\n\r\n")
            raw.recv(10_000)
        [worker, *_] = psutil.Process(server.process.pid).children()
        worker.send_signal(signal.SIGKILL)
        until(lambda: "was sent SIGKILL" in log.read_text())
        until_it_answers(f"{server.url}/readyz", server.process)

    lines = [json.loads(line) for line in log.read_bytes().splitlines()]
    assert all(line.keys() >= FIELDS for line in lines)
    access = [line for line in lines if line["logger"] == "madang.access"]
    assert all(line.keys() == FIELDS | OF_A_REQUEST for line in access)
    assert "Shutting down" in lines[-1]["message"] or "Handling signal" in lines[-1]["message"]


def test_the_last_lines_of_a_worker_are_written(
    environment: dict[str, str], app: object, clean: None, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with live.serve(environment, log) as server, server.client() as client:
        for number in range(50):
            client.get(POSTS, headers={"X-Request-ID": f"last-{number}"})
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(PATIENCE)

    assert '"last-49"' in log.read_text()


def test_a_reader_that_stops_reading_stops_nobody(
    environment: dict[str, str], app: object, clean: None, tmp_path: Path
) -> None:
    """F14. A pipe holds 64 KiB: with lines written by the thread of the request, the service would stand still."""
    port, metrics_port = live.free_port(), live.free_port()
    settings = environment | {
        "PORT": str(port),
        "BIND": "127.0.0.1",
        "METRICS_PORT": str(metrics_port),
        "RATE_LIMIT_SCALE": "1000",
        "WEB_CONCURRENCY": "1",
        "PATH": os.environ["PATH"],
    }
    command = [sys.executable, "-m", "gunicorn", "-c", "scripts/gunicorn.conf.py", "wsgi:app"]
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 64 * 1024)
    process = subprocess.Popen(command, cwd=live.ROOT, env=settings, stdout=writing)
    os.close(writing)
    try:
        url = f"http://127.0.0.1:{port}"
        until_it_answers(f"{url}/readyz", process)
        with httpx.Client(base_url=url, timeout=5) as client:
            for number in range(400):
                answer = client.get(POSTS, headers={"X-Request-ID": f"unread-{number}"})
                assert answer.status_code == 200
        service = Service(live.Server(url, process, tmp_path), metrics_port)
        assert service.value("log_lines_lost_total") == 0

        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        os.close(reading)


def test_a_reader_that_comes_back_finds_what_waited(
    environment: dict[str, str], app: object, clean: None
) -> None:
    port = live.free_port()
    settings = environment | {
        "PORT": str(port),
        "BIND": "127.0.0.1",
        "RATE_LIMIT_SCALE": "1000",
        "WEB_CONCURRENCY": "1",
        "PATH": os.environ["PATH"],
    }
    command = [sys.executable, "-m", "gunicorn", "-c", "scripts/gunicorn.conf.py", "wsgi:app"]
    process = subprocess.Popen(command, cwd=live.ROOT, env=settings, stdout=subprocess.PIPE)
    assert process.stdout
    found: list[bytes] = []
    try:
        url = f"http://127.0.0.1:{port}"
        until_it_answers(f"{url}/readyz", process)
        with httpx.Client(base_url=url, timeout=5) as client:
            for number in range(400):
                client.get(POSTS, headers={"X-Request-ID": f"waits-{number}"})
        reader = Thread(target=found.extend, args=[process.stdout], daemon=True)
        reader.start()

        until(lambda: sum(b"waits-" in line for line in found) == 400)
        ids = [json.loads(line).get("request_id", "") for line in found]
        # The line of one request may be later than that of the next, which is answered meanwhile.
        assert {each for each in ids if each.startswith("waits-")} == {
            f"waits-{number}" for number in range(400)
        }
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
        reader.join(PATIENCE)
    finally:
        process.kill()
        process.stdout.close()


def test_a_full_disk_stops_nobody(environment: dict[str, str], app: object, clean: None) -> None:
    port, metrics_port = live.free_port(), live.free_port()
    settings = environment | {"METRICS_PORT": str(metrics_port), "BIND": "127.0.0.1"}
    with live.serve(settings, Path("/dev/full"), port=port) as server, server.client() as client:
        for _ in range(20):
            assert client.get(POSTS).status_code == 200
        service = Service(server, metrics_port)

        until(lambda: (service.value("log_lines_lost_total") or 0) >= 20)
