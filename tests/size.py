"""How much of a test there is: enough for every change, or, with PROOF=1, all that is claimed (./scripts/prove)."""

from __future__ import annotations

import json
import os
from typing import TypeVar

T = TypeVar("T")


def size(usual: T, proof: T) -> T:
    return proof if os.environ.get("PROOF") else usual


def note(title: str, figure: str) -> None:
    """For the table of docs/reliability.md."""
    print(f"{title}: {figure}")
    if file := os.environ.get("PROOF_FILE"):
        with open(file, "a", encoding="utf-8") as out:
            out.write(json.dumps({"title": title, "figure": figure}, ensure_ascii=False) + "\n")
