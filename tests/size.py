"""How much of a test there is: enough for every change, or, with PROOF=1, all that is claimed (./scripts/prove)."""

from __future__ import annotations

import json
import os
from collections import Counter
from typing import TypeVar

T = TypeVar("T")


def size(usual: T, proof: T) -> T:
    return proof if os.environ.get("PROOF") else usual


def without_busy(answers: Counter[str]) -> Counter[str]:
    """Without the OVERLOADED that other tests on these processors cause, one of fifty at most; all, with PROOF=1."""
    refused = [name for name in answers if name.endswith("503 OVERLOADED")]
    busy = size(sum(answers[name] for name in refused), 0)
    if not busy:
        return answers
    assert busy <= answers.total() / 50, answers
    return Counter({name: number for name, number in answers.items() if name not in refused})


def note(title: str, figure: str) -> None:
    """For the table of docs/reliability.md."""
    print(f"{title}: {figure}")
    if file := os.environ.get("PROOF_FILE"):
        with open(file, "a", encoding="utf-8") as out:
            out.write(json.dumps({"title": title, "figure": figure}, ensure_ascii=False) + "\n")
