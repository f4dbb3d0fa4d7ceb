"""One request seen in the log, in its trace and in its answer; and what a collector that fails costs: nothing."""

from __future__ import annotations

import json
import signal
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests import live
from tests.infra.link import closed_port
from tests.infra.outages import Query, without_tables
from tests.people import PASSWORD, Person
from tests.service.collector import Collector, collecting
from tests.waiting import PATIENCE, until

pytestmark = pytest.mark.slow
POSTS = "/api/v1/posts"
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CANARY = "c4n4ry"
UNSET, ERROR = 0, 2
SERVER, CLIENT = 2, 3
"""States and kinds of spans, by the protocol."""


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as found:
        yield found


@pytest.fixture(scope="module")
def traced(
    environment: dict[str, str],
    app: object,
    collector: Collector,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[live.Server]:
    settings = environment | {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20key,x-scope=yard",
        "OTEL_TRACES_SAMPLER_ARG": "1",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        "WEB_CONCURRENCY": "1",
    }
    with live.serve(settings, tmp_path_factory.mktemp("traces") / "log") as server:
        yield server


def test_a_request_is_found_in_its_log_its_trace_and_its_answer(
    traced: live.Server, collector: Collector, ada: Person
) -> None:
    given = {"X-Request-ID": "night-call-17", "traceparent": f"00-{TRACE}-{PARENT}-01"}
    with traced.client() as client:
        answer = client.get(f"{POSTS}/{ada.id}", headers={**given, **ada.auth})

    assert answer.json()["error"]["request_id"] == answer.headers["X-Request-ID"] == "night-call-17"
    version, trace_id, span_id, flags = answer.headers["traceparent"].split("-")
    assert (version, trace_id, flags) == ("00", TRACE, "01")
    [line] = until(lambda: lines_of(traced, "night-call-17"))
    assert (line["trace_id"], line["span_id"]) == (TRACE, span_id)
    until(lambda: [span for span in collector.spans(TRACE) if span.kind == SERVER])
    [root] = [span for span in collector.spans(TRACE) if span.kind == SERVER]
    assert (root.parent_span_id.hex(), root.span_id.hex()) == (PARENT, span_id)
    assert root.name == "GET /api/v1/posts/{id}"
    attributes = {each.key: each.value for each in root.attributes}
    assert attributes["madang.request_id"].string_value == "night-call-17"
    assert attributes["http.response.status_code"].int_value == 404
    assert attributes["madang.code"].string_value == "NOT_FOUND"
    assert root.status.code == UNSET


def test_what_is_our_fault_is_an_error(
    traced: live.Server, collector: Collector, ada: Person, query: Query
) -> None:
    with traced.client() as client, without_tables(query, "comments"):
        post = client.post(POSTS, json={"title": "마당", "body": "x"}, headers=ada.auth).json()
        answer = client.get(f"{POSTS}/{post['data']['id']}/comments", headers=ada.auth)
    assert answer.status_code == 500
    trace_id, span_id = answer.headers["traceparent"].split("-")[1:3]

    spans = until(lambda: whole(collector, trace_id, span_id))

    [root] = [span for span in spans if span.kind == SERVER]
    assert root.status.code == ERROR
    assert not any(span.status.message for span in spans)
    texts = [each.key for span in spans for event in span.events for each in event.attributes]
    assert "exception.message" not in texts


def test_statements_and_redis_calls_are_parts_of_it(
    traced: live.Server, collector: Collector, ada: Person
) -> None:
    with traced.client() as client:
        answer = client.get(f"{POSTS}/{ada.id}", headers=ada.auth)
    trace_id, span_id = answer.headers["traceparent"].split("-")[1:3]

    spans = until(lambda: whole(collector, trace_id, span_id))

    parts = [span for span in spans if span.kind == CLIENT]
    systems = {
        each.value.string_value for s in parts for each in s.attributes if each.key == "db.system"
    }
    assert systems == {"postgresql", "redis"}
    assert {span.parent_span_id.hex() for span in parts} == {span_id}


def test_who_says_no_is_not_traced(traced: live.Server, collector: Collector) -> None:
    with traced.client() as client:
        unwanted = {"traceparent": f"00-{'a' * 32}-{PARENT}-00"}
        assert client.get(POSTS, headers=unwanted).headers["traceparent"].endswith("-00")
        wanted = client.get(POSTS).headers["traceparent"].split("-")[1]

    until(lambda: collector.spans(wanted))
    assert not collector.spans("a" * 32)


def test_no_trace_holds_what_was_sent_or_is_stored(
    traced: live.Server, collector: Collector, ada: Person
) -> None:
    """L1: texts of errors from PostgreSQL and Redis repeat values, so none is kept."""
    with traced.client() as client:
        body = {"email": ada.email, "username": f"{CANARY}_1", "password": f"{CANARY} {CANARY}"}
        client.post("/api/v1/auth/signup", json=body)
        client.post("/api/v1/auth/signup", json={**body, "email": f"{CANARY}@example.com"})
        client.post("/api/v1/auth/signup", json={**body, "email": f"{CANARY}2@example.com"})
        client.post("/api/v1/auth/login", json={"email": ada.email, "password": CANARY})
        client.get(f"{POSTS}/{CANARY}?q={CANARY}", headers={"User-Agent": CANARY})
        client.get(f"{POSTS}?q={CANARY}", headers={"Authorization": f"Bearer {CANARY}"})
        client.get(POSTS, params={"q": CANARY}, headers={"Cookie": f"refresh_token={CANARY}"})
        last = client.post("/api/v1/auth/login", json={"email": ada.email, "password": PASSWORD})
    assert last.status_code == 200
    trace_id, span_id = last.headers["traceparent"].split("-")[1:3]
    until(lambda: whole(collector, trace_id, span_id))

    assert CANARY.encode() not in collector.raw
    assert ada.email.encode() not in collector.raw
    assert last.json()["data"]["access_token"].encode() not in collector.raw


def test_a_collector_gets_the_headers_it_asks_for(
    traced: live.Server, collector: Collector
) -> None:
    with traced.client() as client:
        client.get("/healthz")

    until(lambda: collector.headers)
    assert collector.headers["authorization"] == "Bearer key"
    assert collector.headers["x-scope"] == "yard"


@pytest.mark.parametrize("is_there", [True, False], ids=["hung", "gone"])
def test_a_collector_that_fails_changes_nothing(
    is_there: bool, environment: dict[str, str], app: object, clean: None, tmp_path: Path
) -> None:
    """F15: answers as fast, bounded memory, few lines about it, and an end in time."""
    with collecting(hangs=True) as hung:
        url = hung.url if is_there else f"http://127.0.0.1:{closed_port()}"
        settings = environment | {
            "OTEL_EXPORTER_OTLP_ENDPOINT": url,
            "OTEL_TRACES_SAMPLER_ARG": "1",
            "OTEL_BSP_SCHEDULE_DELAY": "100",
            "RATE_LIMIT_SCALE": "1000",
            "WEB_CONCURRENCY": "1",
        }
        with live.serve(settings, tmp_path / "log") as server, server.client() as client:
            [worker] = psutil.Process(server.process.pid).children()
            for _ in range(500):
                assert client.get(POSTS).status_code == 200
            filled = worker.memory_info().rss
            took = [client.get(POSTS).elapsed.total_seconds() for _ in range(500)]

            assert statistics.quantiles(took, n=100)[-1] < 1  # but for a stall of the machine
            assert worker.memory_info().rss - filled < 8 * 2**20
            client.close()
            server.process.send_signal(signal.SIGTERM)
            began = time.monotonic()
            assert server.process.wait(PATIENCE) == 0
            assert time.monotonic() - began < 10
        others = [line for line in read(tmp_path / "log") if line["logger"].startswith("opentel")]
        assert len(others) < 100


def test_without_a_collector_nothing_of_it_is_loaded(
    environment: dict[str, str], app: object, tmp_path: Path
) -> None:
    with live.serve(environment, tmp_path / "log") as server:
        [worker, *_] = psutil.Process(server.process.pid).children()

        assert not [each for each in worker.memory_maps() if "protobuf" in each.path]


def whole(collector: Collector, trace_id: str, span_id: str) -> list[Any]:
    """All spans of a trace, once the one that ends last is there."""
    spans = collector.spans(trace_id)
    return spans if any(span.span_id.hex() == span_id for span in spans) else []


def lines_of(server: live.Server, request_id: str) -> list[dict[str, str]]:
    return [line for line in read(server.log) if line.get("request_id") == request_id]


def read(log: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
