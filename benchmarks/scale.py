"""What grows with the data: each work with 100,000 and with 1,000,000 posts, searches, and the end of a long list.

    ./scripts/bench scale [--rounds 5] [--seconds 5] [--fewer 100000] [--more 1000000]

Both services run side by side and are asked in turn. Processor time is that of the service and of its PostgreSQL.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from http.client import HTTPConnection
from itertools import chain
from statistics import median, quantiles
from typing import Any
from urllib.parse import quote, urlsplit

from api.commands.seed_text import english_name
from benchmarks import service, wrk
from benchmarks.cases import POSTS, Case, cases
from benchmarks.report import about, spread
from benchmarks.service import Target
from scripts.home import Refused

WARM_UP = 2
"""Seconds."""
PAGES = 100
"""So many from the begin and from the end of the list."""
SEARCHES = 100
"""Of each kind in each round."""
SAME, DEEP, SEARCH = 1.1, 1.2, 50
"""The bars: ratios, and milliseconds."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="./scripts/bench scale", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--fewer", type=int, default=100_000)
    parser.add_argument("--more", type=int, default=1_000_000)
    options = parser.parse_args()
    try:
        wrk.install()
        with service.running(options.fewer) as few, service.running(options.more) as many:
            print("\n".join([*about(many), ""]), flush=True)
            print("\n".join(_grown(few, many, options.rounds, options.seconds)), flush=True)
            with Caller(many) as caller:
                print("\n".join(["", *_searched(caller, options.rounds)]), flush=True)
                print("\n".join(["", *_walked(caller, options.rounds)]), flush=True)
    except Refused as refusal:
        print(refusal, file=sys.stderr)
        return 1
    return 0


class Caller:
    """One who asks one thing after the other."""

    def __init__(self, target: Target) -> None:
        parts = urlsplit(target.url)
        self._connection = HTTPConnection(parts.hostname or "", parts.port, timeout=30)
        self._token = target.token(1)

    def __enter__(self) -> Caller:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def get(self, path: str) -> tuple[float, Any]:
        """Milliseconds, and the ``data``. Raises ``Refused``."""
        began = time.perf_counter()
        self._connection.request("GET", path)
        return self._heard(200, began)

    def write(self) -> None:
        """A post, after which no list that was kept is true any more."""
        body = json.dumps({"title": "new", "body": "b", "is_published": True})
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        self._connection.request("POST", POSTS, body, headers)
        self._heard(201, 0)

    def _heard(self, wanted: int, began: float) -> tuple[float, Any]:
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != wanted:
            raise Refused(f"{answer.status}: {body[:500]!r}")
        return (time.perf_counter() - began) * 1000, json.loads(body)["data"]


def _grown(few: Target, many: Target, rounds: int, seconds: int) -> list[str]:
    costs: dict[str, dict[int, list[tuple[float, float]]]] = defaultdict(lambda: defaultdict(list))
    works = list(zip(cases(few), cases(many), strict=True))
    for pair in works:
        for case, target in zip(pair, (few, many), strict=True):
            case.check(target)
            _cost(case, target, WARM_UP)
    for number in range(rounds):
        for pair in works:
            turns = list(zip(pair, (few, many), strict=True))
            for case, target in turns if number % 2 else reversed(turns):
                cost = _cost(case, target, seconds)
                costs[case.name][target.posts].append(cost)
                said = f"{target.posts} posts, {case.name}: {cost[0]:.2f} and {cost[1]:.2f} ms"
                print(f"round {number + 1}: {said}", file=sys.stderr, flush=True)
    names = f"service with {few.posts:,}, ms | with {many.posts:,}, ms | ratio"
    lines = [
        f"| work | {names} | within {SAME} | ratio with PostgreSQL | within {SAME} |",
        "|---|---|---|---|---|---|---|",
    ]
    return [*lines, *(_row(name, by[few.posts], by[many.posts]) for name, by in costs.items())]


def _cost(case: Case, target: Target, seconds: int) -> tuple[float, float]:
    """Milliseconds of a processor for each request: of the service, and of it and PostgreSQL."""
    before = service.cpu(target.pid), service.cpu(target.postgres)
    measured = wrk.run(case.script, case.arguments(), target.url, case.connections, seconds)
    if measured.errors or not measured.requests:
        raise Refused(f"{case.name}: {measured.errors} of {measured.requests} failed")
    own = service.cpu(target.pid) - before[0]
    other = service.cpu(target.postgres) - before[1]
    return own / measured.requests * 1000, (own + other) / measured.requests * 1000


def _row(name: str, few: Sequence[tuple[float, float]], many: Sequence[tuple[float, float]]) -> str:
    own = [b[0] / a[0] for a, b in zip(few, many, strict=True)]
    whole = [b[1] / a[1] for a, b in zip(few, many, strict=True)]
    costs = [spread([each[0] for each in few]), spread([each[0] for each in many])]
    ratios = [(spread(each), "yes" if median(each) <= SAME else "no") for each in (own, whole)]
    return f"| {' | '.join([name, *costs, *chain(*ratios)])} |"


def _searched(caller: Caller, rounds: int) -> list[str]:
    kinds: dict[str, Callable[[int], str]] = {
        "rare word": english_name,
        "common word": lambda _: "quiet",
        "Korean, common": lambda _: "시장",
        "Korean, rare": lambda number: f"{english_name(number)} 시장",
    }
    lines = [f"| search | p50, ms | p95, ms | p95 under {SEARCH} |", "|---|---|---|---|"]
    for kind, word in kinds.items():
        middles, lates = [], []
        for number in range(rounds):
            caller.write()
            asked = range(number * SEARCHES, (number + 1) * SEARCHES)
            paths = [f"{POSTS}?q={quote(word(each) + _noise(each))}" for each in asked]
            times = [caller.get(path)[0] for path in paths]
            middles.append(median(times))
            lates.append(quantiles(times, n=20)[18])
        kept = "yes" if median(lates) < SEARCH else "no"
        lines.append(f"| {kind} | {spread(middles)} | {spread(lates)} | {kept} |")
    return lines


def _noise(number: int) -> str:
    """Punctuation, which says nothing and makes each another request."""
    return " " + "".join(".!~*"[number >> 2 * place & 3] for place in range(6))


def _walked(caller: Caller, rounds: int) -> list[str]:
    """The first pages and the last ones of the longest list."""
    path, paths = f"{POSTS}?cursor=&sort=-created_at&size=100", []
    while path:
        paths.append(path)
        path = caller.get(path)[1]["next"]
    ends = {"first": paths[:PAGES], "last": paths[-PAGES - 1 : -1]}
    times: dict[str, list[float]] = defaultdict(list)
    for number in range(rounds):
        for name in ends if number % 2 else reversed(ends):
            caller.write()
            times[name].append(median(caller.get(each)[0] for each in ends[name]))
    ratios = [last / first for first, last in zip(times["first"], times["last"], strict=True)]
    kept = "yes" if median(ratios) <= DEEP else "no"
    depth = (len(paths) - PAGES) * 100
    return [
        f"| page of 100 by cursor, ms | at a depth of {depth:,}, ms | ratio | within {DEEP} |",
        "|---|---|---|---|",
        f"| {spread(times['first'])} | {spread(times['last'])} | {spread(ratios)} | {kept} |",
    ]


if __name__ == "__main__":
    sys.exit(main())
