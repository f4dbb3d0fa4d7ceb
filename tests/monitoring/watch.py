"""Prometheus, Alertmanager and exporters on the deployed configuration; only addresses and patience are exchanged."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests import live
from tests.system import require
from tests.waiting import PATIENCE, until

SOURCE = live.ROOT / "monitoring"


@dataclass
class Prometheus:
    url: str

    def query(self, expression: str) -> list[dict[str, Any]]:
        return self._ask("query", query=expression)["result"]

    def values(self, metric: str, seconds: int) -> list[set[str]]:
        """All values that each series had within so many seconds; a process that replaces one goes on with its own."""
        found: dict[str, set[str]] = {}
        for series in self.query(f"{metric}[{seconds}s]"):
            name = json.dumps({**series["metric"], "pid": ""}, sort_keys=True)
            found.setdefault(name, set()).update(value for _, value in series["values"])
        return list(found.values())

    def has_looked(self) -> None:
        """Return once it has asked the service, or asked it again."""
        before = self._last_look()
        until(lambda: self._last_look() > before)

    def _last_look(self) -> float:
        found = self.query('min(timestamp(up{job="madang"}))')
        return float(found[0]["value"][1]) if found else 0.0

    def _ask(self, what: str, **parameters: str) -> Any:
        answer = httpx.get(f"{self.url}/api/v1/{what}", params=parameters, timeout=10)
        answer.raise_for_status()
        return answer.json()["data"]


@contextmanager
def watching(
    home: Path, targets: list[str], site: str, certificate: Path, slack: str
) -> Iterator[Prometheus]:
    """*targets*: where metrics are served. *site*: what is probed. *slack*: who is told, empty for nobody."""
    ports = {name: live.free_port() for name in ("prometheus", "alertmanager", "node", "blackbox")}
    configuration = _configure(home, ports, targets, site)
    with ExitStack() as stack:
        _node(stack, home, ports["node"])
        _blackbox(stack, home, ports["blackbox"], certificate)
        _alertmanager(stack, home, ports["alertmanager"], slack)
        command: list[str | Path] = [
            require("prometheus"),
            f"--config.file={configuration}",
            f"--storage.tsdb.path={home / 'prometheus'}",
            f"--web.listen-address=127.0.0.1:{ports['prometheus']}",
        ]
        _run(stack, home / "prometheus.log", command, ports["prometheus"])
        yield Prometheus(f"http://127.0.0.1:{ports['prometheus']}")


def _configure(home: Path, ports: dict[str, int], targets: list[str], site: str) -> Path:
    (home / "site.json").write_text(json.dumps([{"targets": [site]}]), encoding="utf-8")
    for name in ("prometheus.yml", "rules.yml", "alerts.yml"):
        text = (SOURCE / "prometheus" / name).read_text(encoding="utf-8")
        text = text.replace("interval: 15s", "interval: 1s")
        # Nobody waits for minutes here; what the durations are is another test's matter.
        text = re.sub(r"(?<= )for: \d+[mh]", "for: 1s", text)
        text = text.replace("/tmp/", f"{home}/").replace("/etc/prometheus/", f"{home}/")
        text = re.sub(
            r"dns_sd_configs: .*", f"static_configs: [{{targets: {json.dumps(targets)}}}]", text
        )
        for container, port in {
            "alertmanager:9093": "alertmanager",
            "localhost:9090": "prometheus",
            "node-exporter:9100": "node",
            "blackbox-exporter:9115": "blackbox",
        }.items():
            text = text.replace(container, f"127.0.0.1:{ports[port]}")
        (home / name).write_text(text, encoding="utf-8")
    return home / "prometheus.yml"


def _node(stack: ExitStack, home: Path, port: int) -> None:
    command: list[str | Path] = [
        require("prometheus-node-exporter"),
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    _run(stack, home / "node.log", command, port)


def _blackbox(stack: ExitStack, home: Path, port: int, certificate: Path) -> None:
    command: list[str | Path] = [
        require("prometheus-blackbox-exporter"),
        f"--config.file={SOURCE / 'blackbox/blackbox.yml'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    # By which the certificate of a test is believed.
    _run(stack, home / "blackbox.log", command, port, SSL_CERT_FILE=str(certificate))


def _alertmanager(stack: ExitStack, home: Path, port: int, slack: str) -> None:
    source = home / "alertmanager.source.yml"
    text = (SOURCE / "alertmanager/alertmanager.yml").read_text(encoding="utf-8")
    source.write_text(text.replace("group_wait: 30s", "group_wait: 1s"), encoding="utf-8")
    command: list[str | Path] = [
        SOURCE / "alertmanager/start.sh",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    settings = {
        "ALERTMANAGER": str(require("prometheus-alertmanager")),
        "ALERTMANAGER_SOURCE": str(source),
        "ALERTMANAGER_HOME": str(home),
        "SLACK_WEBHOOK_URL": slack,
    }
    _run(stack, home / "alertmanager.log", command, port, **settings)


def _run(
    stack: ExitStack, log: Path, command: list[str | Path], port: int, **settings: str
) -> None:
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, env={**os.environ, **settings}
        )
    stack.callback(process.wait, PATIENCE)
    stack.callback(process.terminate)
    with live.shown(log):
        until(lambda: process.poll() is not None or live.listens(port))
        assert process.poll() is None
