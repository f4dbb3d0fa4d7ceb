"""What a change is worth: this code and the same with other settings, or of another checkout, asked in turn.

    ./scripts/bench against [--checkout DIR] [--posts 100000] [--rounds 6] [--seconds 6] [--rate 200] [NAME=VALUE ...]

DIR: a folder with other code, say of ``git worktree add DIR COMMIT``; it runs with the packages of this one, and on
its schema. Both are asked for single posts by eight who wait for their answers, then for mixed work (``./scripts/bench
mixed``, but without nginx) by as many as come.
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
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from benchmarks import compare, mixed, service, wrk
from benchmarks.cases import POSTS
from benchmarks.compare import Run
from benchmarks.open_loop import Load, summary
from benchmarks.report import about, spread
from benchmarks.rivals import Rival
from benchmarks.service import Target
from scripts.home import ROOT, Refused

WARM_UP = 4
"""Seconds."""
OURS, OTHER = "this", "other"
HEAD = """\
| work | code | answers/s | p50, ms | p99, ms | CPU, ms | CPU, of this |
|---|---|---|---|---|---|---|"""


Asked = Callable[[Rival, int], Run]
"""For so many seconds. Raises ``Refused`` for an answer that is none of success."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="./scripts/bench against", description=__doc__)
    parser.add_argument("--checkout", type=Path, default=ROOT)
    parser.add_argument("--posts", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=int, default=6)
    parser.add_argument("--rate", type=float, default=200)
    parser.add_argument("settings", nargs="*", metavar="NAME=VALUE")
    options = parser.parse_args()
    if wrong := [each for each in options.settings if "=" not in each]:
        parser.error(f"this is no NAME=VALUE: {wrong[0]}")
    if not (options.checkout / "wsgi.py").is_file():
        parser.error(f"there is no code in {options.checkout}")
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
            for name, make in _works(target, both, options.rate).items():
                _compare(name, make(), both, options.rounds, options.seconds)
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
    return {
        "single": lambda: _single(target),
        f"mixed, {rate:g}/s": lambda: _mixed(target, both, rate),
    }


def _single(target: Target) -> Asked:
    ids = [row[0] for row in target.rows("SELECT id FROM posts WHERE is_published LIMIT 10000")]
    file = target.home / "reads.paths"
    file.write_text("\n".join(f"{POSTS}/{each}" for each in ids))

    work = compare.Work(name="single", script="get.lua", arguments=lambda _: [str(file)])
    return partial(compare.measure, work)


def _mixed(target: Target, both: Sequence[Rival], rate: float) -> Asked:
    # Each has an address of its own, which stands in its tokens.
    requests = {
        each.name: mixed.requests(replace(target, url=each.url), urlsplit(each.url).netloc)
        for each in both
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

    return work


def _compare(name: str, work: Asked, both: Sequence[Rival], rounds: int, seconds: int) -> None:
    for each in both:
        work(each, WARM_UP)
    found: dict[str, list[Run]] = {each.name: [] for each in both}
    for number in range(rounds):
        # In turn, so that each begins as often as the other.
        for each in both if number % 2 else reversed(both):
            found[each.name].append(work(each, seconds))
    for code, runs in found.items():
        figures = [spread([getattr(run, what) for run in runs]) for what in Run.__slots__]
        pairs = zip(runs, found[OURS], strict=True)
        ratio = spread([run.cpu / ours.cpu for run, ours in pairs])
        print(f"| {' | '.join([name, code, *figures, ratio])} |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
