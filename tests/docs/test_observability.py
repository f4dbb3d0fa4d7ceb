"""docs/observability.md names every metric and every field, and none that is not there."""

from __future__ import annotations

import logging
import os
import re

import yaml
from prometheus_client import Metric
from prometheus_client.metrics import MetricWrapperBase
from starlette.testclient import TestClient

from api.config import Settings
from api.infra import exporter, metrics
from tests.live import ROOT
from tests.web.apps import written

SOURCES = ROOT / "monitoring/grafana/provisioning/datasources/datasources.yml"
PAGE = (ROOT / "docs/observability.md").read_text(encoding="utf-8")


def rows(head: str) -> list[list[str]]:
    """The cells of the table that begins so."""
    _, _, after = PAGE.partition(f"{head}\n")
    lines = after.partition("\n\n")[0].splitlines()[1:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def exposed(metric: Metric) -> str:
    return f"{metric.name}_total" if metric.type == "counter" else metric.name


def test_every_metric_stands_there(environment: dict[str, str], app: object) -> None:
    ours = [each for each in vars(metrics).values() if isinstance(each, MetricWrapperBase)]
    found = [metric for each in ours for metric in each.collect()]
    found += exporter.Servers(Settings.from_env(environment)).collect()
    found += exporter._processes(os.getpid())
    found += exporter._build("unknown")

    told = [cells[0] for cells in rows("| metric | labels | what |")]
    assert {name for cell in told for name in re.findall(r"`(\w+)`", cell)} == set(
        map(exposed, found)
    )


def test_what_runbooks_and_grafana_look_for_is_in_the_lines(client: TestClient) -> None:
    with written() as log:
        client.post("/api/v1/auth/login", json={})
        logging.getLogger("tests").error("a bug")
    text = log.stream.getvalue()

    pages = [page.read_text("utf-8") for page in (ROOT / "docs/runbooks").glob("*.md")]
    searches = [found for page in pages for found in re.findall(r"grep '([^']+)'", page)]
    assert searches
    assert [each for each in searches if each not in text] == []
    [loki] = [
        each
        for each in yaml.safe_load(SOURCES.read_text("utf-8"))["datasources"]
        if each["name"] == "Loki"
    ]
    [trace] = loki["jsonData"]["derivedFields"]
    assert re.findall(trace["matcherRegex"], text) == [log.lines[0]["trace_id"]]


def test_every_field_of_an_access_line_stands_there(client: TestClient) -> None:
    with written() as log:
        client.get("/nowhere")

    told = {name for cells in rows("| field | what |") for name in re.findall(r"`(\w+)`", cells[0])}
    assert told - {"exc_info"} == log.lines[-1].keys()
