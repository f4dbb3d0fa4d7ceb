"""What logs, metrics and traces cost: CPU time of the service for one read that is not kept, with them and without.

    python -m benchmarks.observability [--rounds 10] [--seconds 2]

The variants run side by side on the same data and are asked in turn, since this machine may have other things to do.
The processes that serve metrics count, and are asked once in each turn, which is more often than Prometheus does.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median
from threading import Thread
from urllib.request import urlopen

from benchmarks import service, wrk
from benchmarks.cases import CONNECTIONS, POSTS
from benchmarks.service import Target
from scripts.home import Refused
from scripts.process import free_port

WARM_UP = 4
"""Seconds."""
TURNS = 3
"""In each round."""
BARS = {"logs and metrics": ("nothing", 1.10), "traces of 1 %": ("logs and metrics", 1.05)}
"""What each may cost at most, as a multiple of what another costs."""


@dataclass
class Variant:
    url: str
    pid: int
    metrics: str | None
    costs: list[float] = field(default_factory=list)
    """Milliseconds of CPU for a request, in each round."""

    def cpu(self) -> float:
        """Seconds, of all its processes."""
        return service.cpu(self.pid)


class _Collector(BaseHTTPRequestHandler):
    """Takes traces and forgets them."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seconds", type=int, default=2)
    options = parser.parse_args()
    try:
        wrk.install()
        with service.running(10_000) as target, ExitStack() as stack:
            variants = _variants(target, stack)
            _measure(target, variants, options.rounds, options.seconds)
            print(_table(variants, options.rounds, options.seconds))
    except Refused as refusal:
        print(refusal, file=sys.stderr)
        return 1
    return 0


def _variants(target: Target, stack: ExitStack) -> dict[str, Variant]:
    collector = stack.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), _Collector))
    Thread(target=collector.serve_forever, daemon=True).start()
    stack.callback(collector.shutdown)
    ports = [str(free_port()) for _ in range(2)]
    traced = {
        "METRICS_PORT": ports[1],
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.server_port}",
        "OTEL_TRACES_SAMPLER_ARG": "0.01",
    }
    settings: dict[str, dict[str, str]] = {
        "nothing": {"LOG_LEVEL": "ERROR", "METRICS_PORT": "0"},
        "logs and metrics": {"METRICS_PORT": ports[0]},
        "traces of 1 %": traced,
    }
    found = {}
    for number, (name, wanted) in enumerate(settings.items()):
        one = {"WEB_CONCURRENCY": "1"} | wanted
        url, pid = stack.enter_context(service.beside(target, f"variant-{number}", **one))
        port = int(wanted["METRICS_PORT"])
        metrics = f"http://127.0.0.1:{port}/metrics" if port else None
        found[name] = Variant(url, pid, metrics)
    return found


def _measure(target: Target, variants: dict[str, Variant], rounds: int, seconds: int) -> None:
    ids = [row[0] for row in target.rows("SELECT id FROM posts WHERE is_published LIMIT 1000")]
    file = target.home / "reads.paths"
    file.write_text("\n".join(f"{POSTS}/{id_}" for id_ in ids))
    for variant in variants.values():
        _ask(variant, file, WARM_UP)
    order = list(variants)
    for number in range(rounds):
        spent: dict[str, list[tuple[float, int]]] = {name: [] for name in order}
        for turn in range(TURNS):
            # Each is first, second and last as often as the others.
            first = (number + turn) % len(order)
            for name in order[first:] + order[:first]:
                spent[name].append(_ask(variants[name], file, seconds))
        for name, turns in spent.items():
            cpu, requests = map(sum, zip(*turns, strict=True))
            variants[name].costs.append(cpu / requests * 1000)
            print(f"round {number + 1}: {name} {variants[name].costs[-1]:.3f} ms", file=sys.stderr)


def _ask(variant: Variant, paths: Path, seconds: int) -> tuple[float, int]:
    """Seconds of CPU, and requests."""
    before = variant.cpu()
    measured = wrk.run("get.lua", [str(paths)], variant.url, CONNECTIONS, seconds)
    if variant.metrics:
        urlopen(variant.metrics, timeout=10).close()  # noqa: S310 - our own  # nosec B310
    if measured.errors:
        raise Refused(f"{measured.errors} of {measured.requests} failed")
    return variant.cpu() - before, measured.requests


def _table(variants: dict[str, Variant], rounds: int, seconds: int) -> str:
    lines = [
        f"{rounds} rounds of {TURNS} turns of {seconds} s, {CONNECTIONS} connections, one worker each.",
        "",
        "| with | CPU for a read | lowest to highest | against | ratio | lowest to highest | bar |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, variant in variants.items():
        row = [name, f"{median(variant.costs):.2f} ms", _spread(variant.costs, " ms")]
        if name in BARS:
            other, bar = BARS[name]
            pairs = zip(variant.costs, variants[other].costs, strict=True)
            ratios = [ours / theirs for ours, theirs in pairs]
            row += [other, f"{median(ratios):.3f}", _spread(ratios, ""), f"{bar:.2f}"]
        lines.append(f"| {' | '.join(row + [''] * (7 - len(row)))} |")
    return "\n".join(lines)


def _spread(values: list[float], unit: str) -> str:
    return f"{min(values):.2f} to {max(values):.2f}{unit}"


if __name__ == "__main__":
    sys.exit(main())
