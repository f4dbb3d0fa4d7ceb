"""Where the processor's time of a request goes: a worker is looked at two hundred times a second while it is asked.

    ./scripts/bench profile [--posts 100000] [--seconds 10]

py-spy looks from outside, at who holds the interpreter. Each look counts for the innermost call that is somebody's of
the table; what C does counts for the Python that called it, and what it does without the interpreter for all alike.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from benchmarks import bars, compare, rivals, service, wrk
from benchmarks.compare import Work
from benchmarks.report import about, short
from benchmarks.rivals import MADANG, PROGRAMS, Rival
from scripts.home import Refused

A_SECOND = 200
LAYERS = {
    "log and metrics": r"/api/infra/(log_queue|logging|masking|metrics)\.py|/api/web/asgi/access\.py|"
    r"/pythonjsonlogger/|/prometheus_client/|/logging/__init__\.py",
    "HTTP (gunicorn, sockets)": r"/gunicorn/|/api/web/asgi/(worker|drain|unparsable|turns)\.py",
    "PostgreSQL's driver": r"\bdo_(execute|commit|rollback|begin)\w* |/psycopg2/|/api/infra/db_(watchdog|prepared)\.py",
    "SQLAlchemy": r"/sqlalchemy/|/flask_sqlalchemy/",
    "Redis": r"/redis/|/hiredis/|/limits/(storage|aio|strategies)|/api/infra/(redis|limiter|denylist|cache\w*)\.py",
    "Flask, Werkzeug": r"/(flask|werkzeug|a2wsgi|connexion|flask_\w+|jinja2)/",
    "ours, before Flask": r"/api/web/asgi/|/starlette/",
    "ours, the rest": r"/api/|/marshmallow/|/jwt/|/jsonschema_rs/",
}
"""Who a call is of, by function and file; the first that fits."""
LOOP = "/gunicorn/workers/"
"""What called it has begun the process."""
REST = "event loop, threads"
"""What is nobody's."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="./scripts/bench profile", description=__doc__)
    parser.add_argument("--posts", type=int, default=100_000)
    parser.add_argument("--seconds", type=int, default=10)
    options = parser.parse_args()
    try:
        wrk.install()
        rivals.install()
        with service.running(options.posts) as target:
            madang = Rival(MADANG, target.url, psutil.Process(target.pid), target.log)
            works = [each for each in compare.works(target) if each.name != bars.LOGIN]
            found = {
                each.name: _looked_at(each, madang, target.home, options.seconds) for each in works
            }
            lines = about(target)
    except Refused as refusal:
        print(refusal, file=sys.stderr)
        return 1
    print("\n".join([*lines, "", *_table(found)]))
    return 0


def _looked_at(work: Work, madang: Rival, home: Path, seconds: int) -> dict[str, float]:
    """Milliseconds of a processor for each request, by layer."""
    compare.measure(work, madang, compare.WARM_UP)
    file = home / "stacks"
    with _looking(_worker(madang), file, seconds):
        measured = compare.measure(work, madang, seconds + 1)
    looks = _by_layer(file.read_text(encoding="utf-8"))
    if not looks:
        raise Refused(f"py-spy saw nothing of {work.name}")
    print(f"{work.name}: {looks.total()} looks", file=sys.stderr, flush=True)
    return {name: measured.cpu * looks[name] / looks.total() for name in (*LAYERS, REST)}


def _worker(madang: Rival) -> int:
    for each in madang.process.children():
        if "wsgi:app" in each.cmdline():
            return int(each.pid)
    raise Refused("there is no worker to look at")


@contextmanager
def _looking(pid: int, file: Path, seconds: int) -> Iterator[None]:
    """Until that time is over; what was seen is in *file*."""
    command: list[str | Path] = [PROGRAMS / "py-spy", "record", "--format", "raw"]
    command += ["--full-filenames", "--gil", "--rate", str(A_SECOND), "--duration", str(seconds)]
    command += ["--pid", str(pid), "--output", file]
    looking = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        yield
        said, _ = looking.communicate()
    finally:
        looking.kill()
        looking.wait()
    if looking.returncode:
        raise Refused(f"py-spy failed (it has to be root, as a rule): {said.decode()[-500:]}")


def _by_layer(stacks: str) -> Counter[str]:
    """*stacks*: a line each, from the outermost call to the innermost, and how often it was seen."""
    looks: Counter[str] = Counter()
    for line in stacks.splitlines():
        calls, _, times = line.rpartition(" ")
        looks[_layer(calls.split(";"))] += int(times)
    return looks


def _layer(calls: list[str]) -> str:
    loop = max((place for place, call in enumerate(calls) if LOOP in call), default=-1)
    for call in reversed(calls[loop + 1 :]):
        for name, pattern in LAYERS.items():
            if re.search(pattern, call):
                return name
    return REST


def _table(found: dict[str, dict[str, float]]) -> list[str]:
    lines = [f"| CPU, ms, of | {' | '.join(found)} |", f"|---{'|---' * len(found)}|"]
    for layer in (*LAYERS, REST):
        cells = [short(parts[layer]) for parts in found.values()]
        lines.append(f"| {' | '.join([layer, *cells])} |")
    whole = [short(sum(parts.values())) for parts in found.values()]
    return [*lines, f"| {' | '.join(['all of it', *whole])} |"]


if __name__ == "__main__":
    sys.exit(main())
