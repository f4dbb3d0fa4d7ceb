"""How long the service takes to load, and how much memory its workers have after so many requests.

    ./scripts/bench size [--posts 10000] [--requests 100000] [--minutes 0]

All works in turn, until there were as many requests; with --minutes for so long, to see whether anything grows.
"""

from __future__ import annotations

import argparse
import itertools
import subprocess
import sys
import time
from collections.abc import Sequence

import psutil

from api.infra import passwords
from benchmarks import service, wrk
from benchmarks.cases import cases
from benchmarks.report import about, spread
from benchmarks.service import Target
from scripts.home import ROOT, Refused

IMPORTS = 5
TURN = 5
"""Seconds of each work."""
LOOKS = 10
"""So many lines at most."""
LONGEST, LARGEST = 1.5, 120
"""The bars: seconds, and MB."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="./scripts/bench size", description=__doc__)
    parser.add_argument("--posts", type=int, default=10_000)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--minutes", type=float, default=0)
    options = parser.parse_args()
    try:
        wrk.install()
        with service.running(options.posts) as target:
            print("\n".join([*about(target), ""]), flush=True)
            _imported(target)
            _worked(target, options.requests, options.minutes * 60)
    except Refused as refusal:
        print(refusal, file=sys.stderr)
        return 1
    return 0


def _imported(target: Target) -> None:
    """As each worker does when it begins."""
    times = []
    for _ in range(IMPORTS):
        began = time.perf_counter()
        command = [sys.executable, "-c", "import wsgi"]
        subprocess.run(command, cwd=ROOT, env=target.environment, check=True)
        times.append(time.perf_counter() - began)
    kept = "yes" if sorted(times)[IMPORTS // 2] < LONGEST else "no"
    print(f"`import wsgi`, the whole process: {spread(times)} s; under {LONGEST}: {kept}\n")


def _worked(target: Target, requests: int, seconds: float) -> None:
    print(f"| after | requests | memory of each worker, MB | under {LARGEST} |\n|---|---|---|---|")
    began, asked, shown = time.monotonic(), 0, 0.0
    works = cases(target)
    for case in works:
        case.check(target)
    _show("the start", 0, target)
    for case in itertools.cycle(works):
        asked += wrk.run(case.script, case.arguments(), target.url, case.connections, TURN).requests
        passed = time.monotonic() - began
        if asked >= requests and passed >= seconds:
            break
        if seconds and passed - shown > seconds / LOOKS:
            shown = passed
            _show(f"{passed / 60:.0f} minutes", asked, target)
    _show(f"{(time.monotonic() - began) / 60:.1f} minutes", asked, target)
    time.sleep(passwords.IDLE * 2)  # what hashes took is given back when nobody logs in
    _show("a rest", asked, target)


def _show(after: str, asked: int, target: Target) -> None:
    sizes = _sizes(target)
    kept = "yes" if max(sizes) < LARGEST else "no"
    told = ", ".join(f"{size:.0f}" for size in sizes)
    print(f"| {after} | {asked:,} | {told} | {kept} |", flush=True)


def _sizes(target: Target) -> Sequence[float]:
    """What is resident of each worker. Raises ``Refused`` where they cannot be told from others."""
    family = psutil.Process(target.pid).children()
    found = [each.memory_info().rss / 1e6 for each in family if "gunicorn" in each.name()]
    if not found:
        raise Refused("The workers of gunicorn are not known by their name here")
    return found


if __name__ == "__main__":
    sys.exit(main())
