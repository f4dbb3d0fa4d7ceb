"""Measure the service as it is deployed, on servers and data of its own, and print a table."""

from __future__ import annotations

import argparse
import signal
import sys
from collections import defaultdict

from benchmarks import service, wrk
from benchmarks.cases import Case, cases
from benchmarks.report import markdown
from benchmarks.wrk import Measured
from scripts.home import Refused

WARM_UP = 2
"""Seconds, for each case before the first round."""


def main() -> int:
    options = _arguments()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        wrk.install()
        print(_measured(options), flush=True)
    except Refused as refusal:
        print(refusal, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped", file=sys.stderr)
        return 130
    return 0


def _arguments() -> argparse.Namespace:
    others = "compare, against, mixed, profile, scale and size measure something else, each with a --help of its own"
    parser = argparse.ArgumentParser(prog="./scripts/bench", description=__doc__, epilog=others)
    parser.add_argument("--posts", type=int, help="how many there are (100000; 10000 with --quick)")
    parser.add_argument("--quick", action="store_true", help="two short rounds on fewer posts")
    options = parser.parse_args()
    options.posts = options.posts or (10_000 if options.quick else 100_000)
    options.rounds, options.seconds = (2, 3) if options.quick else (3, 10)
    return options


def _measured(options: argparse.Namespace) -> str:
    with service.running(options.posts) as target:
        all_of_them = cases(target)
        for case in all_of_them:
            case.check(target)
            _run(case, target, WARM_UP, "warm-up")
        found: dict[str, list[Measured]] = defaultdict(list)
        for number in range(1, options.rounds + 1):
            for case in all_of_them:
                label = f"round {number} of {options.rounds}"
                found[case.name].append(_run(case, target, options.seconds, label))
        return markdown(found, target, rounds=options.rounds, seconds=options.seconds)


def _run(case: Case, target: service.Target, seconds: int, label: str) -> Measured:
    """Raises ``Refused`` when an answer was none of success."""
    measured = wrk.run(case.script, case.arguments(), target.url, case.connections, seconds)
    print(f"{label}: {case.name} {measured.rate:.0f}/s", file=sys.stderr, flush=True)
    if measured.errors or not measured.requests:
        said = "\n".join(target.refusals()[-3:])
        raise Refused(f"{case.name}: {measured.errors} of {measured.requests} failed\n{said}")
    return measured


if __name__ == "__main__":
    sys.exit(main())
