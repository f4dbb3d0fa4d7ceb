"""What is promised of the comparison, and whether this run kept it."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from argon2 import PasswordHasher, extract_parameters

from api.commands.seed import PASSWORD
from api.infra import passwords
from benchmarks.cases import LOGGING_IN
from benchmarks.report import spread
from benchmarks.rivals import FASTAPI, MADANG, TUNED

if TYPE_CHECKING:
    from benchmarks.compare import Found, Run

HASHES = 20
"""Of which one is the mean, in each round."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A ratio, of two figures of one round."""

    throughput: float | None = None
    """At least so many times FastAPI's."""
    cpu: float | None = None
    """At most so many times that of FastAPI, or of one verification of a password."""
    against: str = f"{FASTAPI}'s"

    def __str__(self) -> str:
        if self.throughput:
            return f"throughput at least {self.throughput:g} times {self.against}"
        return f"CPU at most {self.cpu:g} of {self.against}"

    def is_met(self, ratio: float) -> bool:
        return ratio >= self.throughput if self.throughput else ratio <= (self.cpu or 0)


LOGIN = "login"
NOT_MODIFIED = "list, not modified"
BARS = {
    "list, kept": Bar(throughput=6),
    NOT_MODIFIED: Bar(throughput=7),
    "single, logged in": Bar(cpu=1.0),
    "page of 20, not kept": Bar(cpu=1.0),
    "create, logged in": Bar(cpu=1.0),
    LOGIN: Bar(cpu=1.1, against="one argon2id verification"),
}
"""By work."""


def chosen(parser: argparse.ArgumentParser, only: str, names: Iterable[str]) -> list[str]:
    """Those with *only* in their name. Ends the program where there are none."""
    known = list(names)
    found = [name for name in known if only in name]
    if not found:
        parser.error(f"no work has {only!r} in its name; there are: {'; '.join(known)}")
    return found


def hash_cost() -> float:
    """Milliseconds of a processor for one verification, with as many at once as there are callers who log in.

    By the library alone, as any service would call it: ours takes turns.
    """
    stored = passwords.hash_password(PASSWORD)
    hasher = PasswordHasher.from_parameters(extract_parameters(stored))
    began = time.process_time()
    with ThreadPoolExecutor(LOGGING_IN) as callers:
        list(callers.map(hasher.verify, [stored] * HASHES, [PASSWORD] * HASHES))
    return (time.process_time() - began) / HASHES * 1000


def table(found: Found, hashes: Sequence[float]) -> list[str]:
    """*hashes*: ``hash_cost`` in each round."""
    lines = ["| work | promised | beside | measured | kept |", "|---|---|---|---|---|"]
    for work, runs in found.items():
        bar = BARS[work]
        for other in ["a hash"] if work == LOGIN else [FASTAPI, TUNED]:
            ratios = _ratios(work, runs, other, hashes)
            kept = "yes" if bar.is_met(median(ratios)) else "no"
            lines.append(f"| {work} | {bar} | {other} | {spread(ratios)} | {kept} |")
    return lines


def _ratios(
    work: str, runs: Mapping[str, Sequence[Run]], other: str, hashes: Sequence[float]
) -> list[float]:
    """*other*: the server that ours is held against, but for logging in."""
    ours, theirs = runs[MADANG], runs.get(other, ())
    if work == LOGIN:
        return [run.cpu / cost for run, cost in zip(ours, hashes, strict=True)]
    if BARS[work].throughput:
        return [mine.rate / each.rate for mine, each in zip(ours, theirs, strict=True)]
    return [mine.cpu / each.cpu for mine, each in zip(ours, theirs, strict=True)]
