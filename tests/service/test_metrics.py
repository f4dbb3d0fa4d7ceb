"""What Prometheus sees of a service with several processes, on a port of its own."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from api.app import THREADS
from api.web.asgi.access import METHODS, UNMATCHED
from tests import live
from tests.infra.link import Link, closed_port
from tests.people import PASSWORD, Person
from tests.spec import CONTRACT
from tests.waiting import PATIENCE, until

pytestmark = pytest.mark.slow
POSTS, LOGIN = "/api/v1/posts", "/api/v1/auth/login"


class Service:
    def __init__(self, server: live.Server, port: int) -> None:
        self.server = server
        self.url = f"http://127.0.0.1:{port}/metrics"

    def scrape(self) -> str:
        return httpx.get(self.url, timeout=10).text

    def value(self, name: str, **labels: str) -> float | None:
        """The sum over all samples that have these labels; None, where there is none."""
        found = [
            sample.value
            for family in text_string_to_metric_families(self.scrape())
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        ]
        return sum(found) if found else None

    def rise(self, name: str, **labels: str) -> Rise:
        return Rise(self, name, labels)

    @property
    def exporters(self) -> list[psutil.Process]:
        return [
            each for each in psutil.Process(self.server.process.pid).children() if is_exporter(each)
        ]

    @property
    def workers(self) -> list[psutil.Process]:
        return [
            each for each in psutil.Process(self.server.process.pid).children() if is_worker(each)
        ]


def is_worker(process: psutil.Process) -> bool:
    try:
        return "api.infra.exporter" not in process.cmdline()
    except psutil.Error:  # it has just ended
        return False


def is_exporter(process: psutil.Process) -> bool:
    try:
        return "api.infra.exporter" in process.cmdline()
    except psutil.Error:  # it has just ended
        return False


class Rise:
    """By how much a figure grows while the block runs."""

    def __init__(self, service: Service, name: str, labels: dict[str, str]) -> None:
        self._look = lambda: service.value(name, **labels) or 0.0

    def __enter__(self) -> Rise:
        self._before = self._look()
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def becomes(self, value: float) -> None:
        """What is counted after the answer comes a moment later."""
        until(lambda: round(self._look() - self._before, 6) == value)


@pytest.fixture(scope="module")
def service(
    environment: dict[str, str], app: object, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    port = live.free_port()
    settings = environment | {"METRICS_PORT": str(port), "BIND": "127.0.0.1"}
    with live.serve(settings, tmp_path_factory.mktemp("metrics") / "log") as server:
        live.wait_for_port(port)
        yield Service(server, port)


def test_requests_of_all_workers_are_counted(service: Service, clean: None) -> None:
    with (
        service.rise("http_requests_total", method="GET", endpoint=POSTS, status="200") as answers,
        service.rise("http_request_duration_seconds_count", endpoint=POSTS) as times,
    ):
        for _ in range(20):  # each on a connection of its own
            assert httpx.get(service.server.url + POSTS).status_code == 200

        answers.becomes(20)
        times.becomes(20)


@pytest.mark.parametrize("use", ["cache", "denylist", "limits"])
def test_the_first_failure_of_redis_is_a_rise(service: Service, use: str) -> None:
    """Which a series that begins with it does not show."""
    assert service.value("redis_failures_total", use=use) == 0


def test_refusals_are_counted_by_code_and_limit(service: Service, clean: None) -> None:
    with (
        service.rise("http_refusals_total", code="NOT_FOUND") as unknown,
        service.rise("rate_limit_refusals_total", limit="anonymous") as refused,
        service.server.client() as client,
    ):
        statuses = [client.get("/nowhere").status_code for _ in range(103)]

        assert statuses.count(404) == 100
        unknown.becomes(100)
        refused.becomes(3)


def test_logins_and_sign_ups_are_counted_by_outcome(
    service: Service, clean: None, ada: Person
) -> None:
    with (
        service.rise("logins_total", outcome="OK") as good,
        service.rise("logins_total", outcome="INVALID_CREDENTIALS") as wrong,
        service.rise("sign_ups_total", outcome="OK") as new,
        service.rise("sign_ups_total", outcome="EMAIL_TAKEN") as taken,
        service.server.client() as client,
    ):
        for password in (PASSWORD, "wrong password"):
            client.post(LOGIN, json={"email": ada.email, "password": password})
        for email in ("new@example.com", ada.email):
            body = {"email": email, "username": email[:3] + "_x", "password": PASSWORD}
            client.post("/api/v1/auth/signup", json=body)

        for each in (good, wrong, new, taken):
            each.becomes(1)


def test_statements_are_timed_and_connections_counted(service: Service, ada: Person) -> None:
    with (
        # A post is stored, and read with its author, in one statement.
        service.rise("db_query_duration_seconds_count", operation="with") as inserts,
        service.rise("db_query_duration_seconds_count", operation="commit") as commits,
        service.server.client() as client,
    ):
        for _ in range(3):
            body = {"title": "마당", "body": "x"}
            answer = client.post(POSTS, json=body, headers=ada.auth)
            assert answer.status_code == 201

        inserts.becomes(3)
        commits.becomes(3)
    until(lambda: service.value("db_pool_connections", state="in_use") == 0)
    assert service.value("db_pool_capacity") == 2 * THREADS
    idle = service.value("db_pool_connections", state="idle")
    assert idle is not None
    assert 1 <= idle <= 2 * THREADS


def test_requests_in_progress_are_those_without_an_answer(service: Service) -> None:
    until(lambda: service.value("http_requests_in_progress") == 0)


def test_what_is_behind_and_what_it_takes(service: Service) -> None:
    assert service.value("database_up") == 1
    assert service.value("redis_up") == 1
    assert (service.value("redis_memory_used_bytes") or 0) > 100_000
    assert service.value("redis_evicted_keys_total") is not None
    assert service.value("build_info", version="0.1.0") == 1
    for process in service.workers:
        resident = service.value("process_resident_memory_bytes", pid=str(process.pid))
        assert resident == pytest.approx(process.memory_info().rss, rel=0.2)
        assert (service.value("process_cpu_seconds_total", pid=str(process.pid)) or 0) > 0


def test_labels_are_of_the_contract_whatever_is_sent(service: Service, clean: None) -> None:
    """Whoever could make labels could fill the memory."""
    with service.server.client() as client:
        for number in range(30):
            client.request(f"M{number}", f"/{number}")
            client.get(f"{POSTS}/{number}?{number}={number}", headers={"Host": f"h{number}"})
    paths = {operation.path for operation in CONTRACT.operations.values()} | {UNMATCHED}

    samples = [
        sample
        for family in text_string_to_metric_families(service.scrape())
        for sample in family.samples
    ]
    assert {sample.labels.get("endpoint", UNMATCHED) for sample in samples} <= paths
    assert {sample.labels.get("method", "other") for sample in samples} <= METHODS | {"other"}
    assert not any(sample.labels.get("endpoint", "").endswith("29") for sample in samples)


def test_the_public_port_has_none(service: Service) -> None:
    assert httpx.get(f"{service.server.url}/metrics").status_code == 404


def test_a_worker_that_is_killed_takes_along_what_it_held_and_nothing_else(
    service: Service, clean: None
) -> None:
    before = service.value("http_requests_total") or 0
    victim = service.workers[0]
    victim.send_signal(signal.SIGKILL)

    until(lambda: len(service.workers) == 2 and victim.pid not in {w.pid for w in service.workers})
    until(lambda: service.value("process_threads", pid=str(victim.pid)) is None)
    assert (service.value("http_requests_total") or 0) >= before
    until(lambda: service.value("http_requests_in_progress") == 0)
    until(lambda: service.value("db_pool_capacity") == 2 * THREADS)


def test_they_are_served_again_when_their_process_is_killed(service: Service, clean: None) -> None:
    assert httpx.get(service.server.url + POSTS).status_code == 200
    until(lambda: service.value("http_requests_total", endpoint=POSTS))
    before = service.value("http_requests_total", endpoint=POSTS) or 0
    for _ in range(2):  # not only the first time
        [victim] = service.exporters
        victim.send_signal(signal.SIGKILL)

        until(lambda pid=victim.pid: [each for each in service.exporters if each.pid != pid])  # type: ignore[misc]
        live.wait_for_port(httpx.URL(service.url).port or 0)
        assert (service.value("http_requests_total", endpoint=POSTS) or 0) >= before


def test_servers_that_are_gone_are_said_to_be(
    environment: dict[str, str], app: object, tmp_path: Path
) -> None:
    address = httpx.URL(environment["DATABASE_URL"])
    wire = Link(address.host, address.port or 5432)
    through = str(address.copy_with(port=wire.port))
    port = live.free_port()
    settings = environment | {
        "DATABASE_URL": through,
        "REDIS_URL": f"redis://127.0.0.1:{closed_port()}/0",
        "METRICS_PORT": str(port),
        "BIND": "127.0.0.1",
        "WEB_CONCURRENCY": "1",
    }
    with live.serve(settings, tmp_path / "log") as server:
        live.wait_for_port(port)
        service = Service(server, port)
        assert (service.value("database_up"), service.value("redis_up")) == (1, 0)

        assert httpx.get(server.url + POSTS).status_code == 200
        wire.cut()

        assert (service.value("database_up"), service.value("redis_up")) == (0, 0)
        assert service.value("redis_memory_used_bytes") is None
        with server.client() as client:
            for _ in range(20):  # each tries to connect
                assert client.get(POSTS).status_code == 503
            assert service.value("db_pool_connections") == 0
            wire.mend()
            assert client.get(POSTS).status_code == 200
        until(lambda: service.value("db_pool_connections", state="in_use") == 0)
        assert service.value("db_pool_connections", state="idle") == 1


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_of_it(
    end: signal.Signals, environment: dict[str, str], app: object, tmp_path: Path
) -> None:
    port = live.free_port()
    settings = environment | {"METRICS_PORT": str(port), "BIND": "127.0.0.1"}
    with live.serve(settings, tmp_path / "log") as server:
        live.wait_for_port(port)
        children = psutil.Process(server.process.pid).children()
        [exporter] = [each for each in children if "api.infra.exporter" in each.cmdline()]
        folder = Path(exporter.environ()["PROMETHEUS_MULTIPROC_DIR"])
        assert list(folder.iterdir())

        os.kill(server.process.pid, end)

        server.process.wait(PATIENCE)
        until(lambda: not exporter.is_running() or exporter.status() == psutil.STATUS_ZOMBIE)
        assert not folder.exists()
        psutil.wait_procs(children, timeout=PATIENCE)
