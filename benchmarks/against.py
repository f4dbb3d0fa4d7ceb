"""What a change is worth: this code and the same with other settings, or of another checkout, asked in turn.

    ./scripts/bench against [--checkout DIR] [--posts 100000] [--rounds 6] [--seconds 6] [--rate 200] [--only WORK]
        [NAME=VALUE ...]

DIR: a folder with other code, say of ``git worktree add DIR COMMIT``; it runs with the packages of this one, and on
its schema. Both are asked for the works of ``./scripts/bench compare``, then for mixed work (``./scripts/bench mixed``,
but without nginx) by as many as come. With neither DIR nor a setting it is the same twice, which shows how much the
machine makes of nothing. Processor time is that of the service, and of PostgreSQL beside it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from itertools import cycle
from math import nan
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from benchmarks import bars, compare, mixed, service, wrk
from benchmarks.compare import Run
from benchmarks.open_loop import Load, summary
from benchmarks.report import about, spread
from benchmarks.rivals import Rival
from benchmarks.service import Target
from scripts.home import ROOT, Refused

WARM_UP = 4
"""Seconds."""
OURS, OTHER = "this", "other"
ALONE = [name for name in bars.BARS if name != bars.NOT_MODIFIED]
"""Works that are asked for one at a time. (A tag is known of the service of compare alone.)"""
HEAD = """\
| work | code | answers/s | p50, ms | p99, ms | CPU, ms | of this | PostgreSQL, ms | of this |
|---|---|---|---|---|---|---|---|---|"""


Asked = Callable[[Rival, int], Callable[[], Run]]
"""For so many seconds, once what it needs is ready. Raises ``Refused`` for an answer that is none of success."""
Cost = Callable[[Rival, int], tuple[float, ...]]


def main() -> int:
    parser = argparse.ArgumentParser(prog="./scripts/bench against", description=__doc__)
    parser.add_argument("--checkout", type=Path, default=ROOT)
    parser.add_argument("--posts", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=int, default=6)
    parser.add_argument("--rate", type=float, default=200)
    parser.add_argument("--only", default="", help="works with this in their name")
    parser.add_argument("settings", nargs="*", metavar="NAME=VALUE")
    options = parser.parse_args()
    if wrong := [each for each in options.settings if "=" not in each]:
        parser.error(f"this is no NAME=VALUE: {wrong[0]}")
    if not (options.checkout / "wsgi.py").is_file():
        parser.error(f"there is no code in {options.checkout}")
    chosen = bars.chosen(parser, options.only, [*ALONE, _mixed_at(options.rate)])
    settings = dict(each.split("=", 1) for each in options.settings)
    try:
        wrk.install()
        with service.running(options.posts) as target, ExitStack() as stack:
            both = [
                _begun(OURS, ROOT, {}, target, stack),
                _begun(OTHER, options.checkout.resolve(), settings, target, stack),
            ]
            told = [
                f"- {OURS}: {_commit(ROOT)}; {OTHER}: {' '.join([_commit(options.checkout), *options.settings])}"
            ]
            print("\n".join([*about(target), *told, "", HEAD]), flush=True)
            works = _works(target, both, options.rate)
            for name in chosen:
                cost = partial(_cost, works[name](), target)
                _compare(name, cost, both, options.rounds, options.seconds)
    except Refused as refusal:
        print(refusal, file=sys.stderr)
        return 1
    return 0


def _begun(
    name: str, code: Path, settings: dict[str, str], target: Target, stack: ExitStack
) -> Rival:
    url, pid = stack.enter_context(service.beside(target, name, code, **settings))
    return Rival(name, url, psutil.Process(pid), target.home / f"{name}.log")


def _commit(code: Path) -> str:
    line = ["git", "-C", str(code), "describe", "--always", "--dirty", "--exclude=*"]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "of no commit"


def _works(target: Target, both: Sequence[Rival], rate: float) -> dict[str, Callable[[], Asked]]:
    """Each made when it is wanted: tokens last 15 minutes."""
    # Each has an address of its own, which stands in its tokens.
    targets = {each.name: replace(target, url=each.url) for each in both}
    alone = {name: partial(_alone, targets, name) for name in ALONE}
    return {**alone, _mixed_at(rate): partial(_mixed, targets, rate)}


def _mixed_at(rate: float) -> str:
    return f"mixed, {rate:g}/s"


def _alone(targets: dict[str, Target], name: str) -> Asked:
    works = {
        code: next(work for work in compare.works(target) if work.name == name)
        for code, target in targets.items()
    }
    return lambda rival, seconds: compare.ready(works[rival.name], rival, seconds)


def _mixed(targets: dict[str, Target], rate: float) -> Asked:
    requests = {
        code: mixed.requests(target, urlsplit(target.url).netloc)
        for code, target in targets.items()
    }

    def work(rival: Rival, seconds: int) -> Run:
        before = rival.cpu()
        load = Load(rival.url, cycle(requests[rival.name]))
        load.open(rate, seconds)
        found = summary(load.answers, seconds)
        if not found["statuses"].keys() <= {"200", "201"}:
            advice = ": ask for less (--rate)" if "503" in found["statuses"] else ""
            raise Refused(f"{rival.name} answered {found['statuses']}{advice}")
        cpu = (rival.cpu() - before) / len(load.answers) * 1000
        p50, p99, _ = found["good_ms"]
        return Run(found["good_per_second"], p50, p99, cpu)

    return lambda rival, seconds: partial(work, rival, seconds)


def _cost(work: Asked, target: Target, rival: Rival, seconds: int) -> tuple[float, ...]:
    """The figures of a row, in its order."""
    ready = work(rival, seconds)
    before = service.cpu(target.postgres)
    run = ready()
    theirs = (service.cpu(target.postgres) - before) / (run.rate * seconds) * 1000
    return run.rate, run.p50, run.p99, run.cpu, theirs


def _compare(name: str, cost: Cost, both: Sequence[Rival], rounds: int, seconds: int) -> None:
    for each in both:
        cost(each, WARM_UP)
    found: dict[str, list[tuple[float, ...]]] = {each.name: [] for each in both}
    for number in range(rounds):
        # In turn, so that each begins as often as the other.
        for each in both if number % 2 else reversed(both):
            found[each.name].append(cost(each, seconds))
    for code, rows in found.items():
        pairs = list(zip(rows, found[OURS], strict=True))
        ratios = [spread([row[n] / (ours[n] or nan) for row, ours in pairs]) for n in (3, 4)]
        figures = [spread(column) for column in zip(*rows, strict=True)]
        cells = [name, code, *figures[:4], ratios[0], figures[4], ratios[1]]
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
