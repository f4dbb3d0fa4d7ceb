"""What was measured, on what, as Markdown."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from redis import Redis

from benchmarks import wrk
from benchmarks.service import Target
from benchmarks.wrk import Measured
from scripts.interpreter import is_optimized

HEAD = """\
| what | requests/s | p50, ms | p99, ms | answers | errors |
|---|---|---|---|---|---|"""


def markdown(
    found: Mapping[str, Sequence[Measured]], target: Target, *, rounds: int, seconds: int
) -> str:
    """The median of the rounds, and in parentheses the least and the most."""
    lines = [_row(name, runs) for name, runs in found.items()]
    how = f"{rounds} rounds of {seconds} s each, {target.posts:,} posts (loaded in {target.seeded_in:.0f} s)"
    return "\n".join([f"{datetime.now(UTC):%Y-%m-%d}, {how}", "", *about(target), "", HEAD, *lines])


def _row(name: str, runs: Sequence[Measured]) -> str:
    columns = [
        spread([run.rate for run in runs]),
        spread([run.p50 for run in runs]),
        spread([run.p99 for run in runs]),
    ]
    numbers = [f"{sum(run.requests for run in runs):,}", str(sum(run.errors for run in runs))]
    return f"| {' | '.join([name, *columns, *numbers])} |"


def spread(figures: Sequence[float]) -> str:
    """The median, and in parentheses the least and the most."""
    least, middle, most = (short(x) for x in (min(figures), median(figures), max(figures)))
    return f"{middle} ({least}..{most})"


def short(number: float) -> str:
    if number < 10:
        return f"{number:.2f}"
    return f"{number:.1f}" if number < 100 else f"{number:,.0f}"


def about(target: Target) -> list[str]:
    [[postgres]] = target.rows("SHOW server_version")
    client = Redis.from_url(target.redis_url)
    told: Any = client.info("server")  # its type is also that of an asynchronous client
    client.close()
    build = "an optimized build" if is_optimized() else "a build without optimizations"
    versions = [f"madang {version('madang')}", f"Python {platform.python_version()} ({build})"]
    versions += [
        f"{name} {version(name)}" for name in ("connexion", "flask", "sqlalchemy", "gunicorn")
    ]
    versions += [
        f"PostgreSQL {postgres}",
        f"Valkey {told['valkey_version']}",
        f"wrk {wrk.version()}",
    ]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    machine = (
        f"{_processor()}, {os.cpu_count()} cores, {memory:.0f} GiB, {platform.platform(terse=True)}"
    )
    return [f"- {machine}; load before: {target.load:.1f}", f"- {', '.join(versions)}"]


def _processor() -> str:
    """The model, which Linux tells and others do not."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())
