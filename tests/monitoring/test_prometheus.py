"""A real Prometheus watches a real service on which everything happens that a panel or an alert may show."""

from __future__ import annotations

import json
import re
import shutil
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx
import psutil
import pytest
import yaml
from redis import Redis

from api.app import App
from scripts import embedded
from scripts.dashboards import picture
from scripts.dashboards.panels import DASHBOARDS
from tests import live, nginx
from tests.infra.link import Link
from tests.infra.outages import Query, locked, without_tables
from tests.monitoring.watch import Prometheus, watching
from tests.people import PASSWORD, People, Person
from tests.service.test_metrics import is_worker
from tests.waiting import until

pytestmark = pytest.mark.slow
POSTS, LOGIN, SIGN_UP = "/api/v1/posts", "/api/v1/auth/login", "/api/v1/auth/signup"
CONSTANT = {"node_filesystem_size_bytes"}
"""The size of a disk."""
METRIC = re.compile(
    r"(?<![\w:\"{])([a-z_][a-z0-9_]*:[a-z0-9_:]+|[a-z]+(?:_[a-z0-9]+)+|up)(?=[{\[) ]|$)"
)
WORDS = {"histogram_quantile", "predict_linear"}


def asked() -> set[str]:
    """Every metric that a panel, an alert or a rule names."""
    queries = [q for board in DASHBOARDS for panel in board.panels for q in panel.queries.values()]
    for name in ("rules.yml", "alerts.yml"):
        document = yaml.safe_load((live.ROOT / "monitoring/prometheus" / name).read_text("utf-8"))
        queries += [rule["expr"] for group in document["groups"] for rule in group["rules"]]
    bare = (re.sub(r"\{[^}]*\}|by \([^)]*\)", "", query) for query in queries)
    return {name for query in bare for name in METRIC.findall(query)} - WORDS


@contextmanager
def told() -> Iterator[tuple[str, list[Any]]]:
    """A place that takes what Alertmanager would send to Slack."""
    found: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            found.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/hook", found
        finally:
            server.shutdown()
            thread.join()


class Yard:
    """The service behind nginx, a second one that is ill, their servers on wires, and who watches them."""

    def __init__(self, stack: ExitStack, environment: dict[str, str], home: Path) -> None:
        servers = stack.enter_context(
            embedded.servers(
                stack.enter_context(embedded.scratch_home()), database=False, redis=True
            )
        )
        assert servers.valkey
        self.redis = Redis.from_url(servers.redis_url)
        cache, database = httpx.URL(servers.redis_url), httpx.URL(environment["DATABASE_URL"])
        self.redis_wire = Link("127.0.0.1", cache.port or 0)
        self.database_wire = Link(database.host, database.port or 0)
        settings = environment | {
            "REDIS_URL": str(cache.copy_with(port=self.redis_wire.port)),
            "DATABASE_URL": str(database.copy_with(host="127.0.0.1", port=self.database_wire.port)),
            "BIND": "127.0.0.1",
            "RATE_LIMIT_SCALE": "1",
        }
        ports = [live.free_port() for _ in range(2)]
        self.server = stack.enter_context(
            live.serve(settings | {"METRICS_PORT": str(ports[0])}, home / "log")
        )
        # What cannot be written is lost, and what follows a commit fails.
        ill = ExitStack()
        self.end_the_ill = stack.enter_context(ill).close
        self.ill = ill.enter_context(
            live.serve(
                settings | {"METRICS_PORT": str(ports[1])},
                Path("/dev/full"),
                application="tests.monitoring.faulty:app",
            )
        )
        self.nginx = home / "nginx"
        self.nginx.mkdir()
        _, self.site = stack.enter_context(nginx.with_tls(self.server.url, home=self.nginx))
        for days, name in enumerate(("renewed", "unknown"), 30):
            nginx.certify(self.nginx / name, days)
        believed = home / "believed.pem"
        believed.write_text(
            "".join(
                (self.nginx / name / "fullchain.pem").read_text()
                for name in ("certificates", "renewed")
            )
        )
        slack, self.messages = stack.enter_context(told())
        self.prometheus = stack.enter_context(
            watching(
                home,
                [f"127.0.0.1:{port}" for port in ports],
                f"{self.site}/healthz",
                believed,
                slack,
            )
        )

    def show(self, certificate: str) -> None:
        shutil.copytree(self.nginx / certificate, self.nginx / "certificates", dirs_exist_ok=True)
        nginx.reload(self.nginx)

    def workers(self) -> list[psutil.Process]:
        return [
            each for each in psutil.Process(self.server.process.pid).children() if is_worker(each)
        ]


@pytest.fixture(scope="module")
def yard(
    environment: dict[str, str], app: object, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Yard]:
    with ExitStack() as stack:
        yield Yard(stack, environment, tmp_path_factory.mktemp("monitoring"))


def test_every_metric_that_is_asked_for_exists_and_changes(
    yard: Yard, app: App, people: People, query: Query
) -> None:
    over = Event()
    with ThreadPoolExecutor(4) as pool:
        loads = [pool.submit(load, url, over) for url in (yard.server.url, yard.ill.url)]
        try:
            everything_happens(yard, app, people, query)
            with suppress(AssertionError):  # the names say more
                until(lambda: not unchanged(yard.prometheus), pause=1)
        finally:
            over.set()
            for each in loads:
                each.result()

    assert unchanged(yard.prometheus) == set()


def test_somebody_is_told(yard: Yard) -> None:
    """By a real Alertmanager, of what a real Prometheus found."""
    until(lambda: [each for each in yard.messages if "UnexpectedErrors" in json.dumps(each)])
    text = json.dumps(yard.messages)

    assert "docs/runbooks/errors.md" in text
    assert "A request met a bug" in text


@pytest.mark.parametrize("board", DASHBOARDS, ids=lambda board: board.uid)
def test_every_panel_shows_something(board: Any, yard: Yard, tmp_path: Path) -> None:
    now = float(yard.prometheus.query("time()")[1])  # type: ignore[arg-type]

    for panel in board.panels:
        assert picture.lines(panel, yard.prometheus.url, now - 120, now), panel.title
    picture.draw(board, yard.prometheus.url, now - 120, now, tmp_path / "board.svg")
    assert (tmp_path / "board.svg").stat().st_size > 10_000


def load(url: str, over: Event) -> None:
    with httpx.Client(base_url=url, timeout=10) as client:
        while not over.wait(0.05):
            with suppress(httpx.TransportError):  # while a worker is killed, or all of them
                client.get(POSTS)


def everything_happens(yard: Yard, app: App, people: People, query: Query) -> None:
    """Each so that Prometheus, which looks every second, sees it before and after."""
    watched = yard.prometheus
    ada = people("ada")
    for number in range(2):
        watched.has_looked()
        visit(yard, query, ada, number)
    watched.has_looked()
    with locked(app, "posts"):  # who asks for them waits, which is otherwise too short to be seen
        until(partial(watched.query, "http_requests_in_progress > 0"))
    yard.redis.config_set("maxmemory", "3mb")
    yard.redis.config_set("maxmemory-policy", "allkeys-lru")
    for number in range(300):
        yard.redis.set(f"filler:{number}", "x" * 30_000)
    outages = [(yard.redis_wire, "redis_up")] * 2 + [(yard.database_wire, "database_up")]
    for wire, metric in outages:
        for state, act in ((0, wire.cut), (1, wire.mend)):
            act()
            until(partial(watched.query, f"{metric} == {state}"))
    until(partial(was_seen_to_lose_a_worker, yard))
    for state, certificate in ((0, "unknown"), (1, "renewed")):
        yard.show(certificate)
        until(partial(watched.query, f"probe_success == {state}"))
    yard.end_the_ill()
    until(partial(watched.query, 'up{job="madang"} == 0'))


def was_seen_to_lose_a_worker(yard: Yard) -> bool:
    """Kill one. Prometheus may look before it is gone or after the next has started: then it takes another."""
    yard.workers()[0].send_signal(signal.SIGKILL)
    for _ in range(2):
        yard.prometheus.has_looked()
    return any(len(values) > 1 for values in yard.prometheus.values("db_pool_capacity", 300))


def visit(yard: Yard, query: Query, person: Person, number: int) -> None:
    for url in (yard.server.url, yard.ill.url):
        with httpx.Client(base_url=url, timeout=10) as client:
            for password in (PASSWORD, "a wrong one"):
                client.post(LOGIN, json={"email": person.email, "password": password})
            name = f"new_{number}_{url[-5:]}"
            body = {"email": f"{name}@example.com", "username": name, "password": PASSWORD}
            client.post(SIGN_UP, json=body)
            client.post(POSTS, json={"title": "마당", "body": "x"}, headers=person.auth)
    with httpx.Client(base_url=yard.server.url, timeout=10) as client:
        while client.get("/nowhere").status_code != 429:
            pass
        with without_tables(query, "comments"):
            post = query("SELECT id FROM posts LIMIT 1")[0][0]
            answer = client.get(f"{POSTS}/{post}/comments", headers=person.auth)
            assert answer.status_code == 500


def unchanged(prometheus: Prometheus) -> set[str]:
    """The metrics that do not exist, or of which each series has had one value alone."""
    return {
        name
        for name in asked() - CONSTANT
        if not any(len(values) > 1 for values in prometheus.values(name, 300))
    }
