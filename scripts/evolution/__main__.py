"""Compares openapi/bundle.yaml with openapi/released.yaml, the bundle of the last release.

Fails when a change breaks programs and the major version of the contract stays, and when the section
Contract of Unreleased in CHANGELOG.md does not name what changed. docs/versioning.md tells more.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

from api.web.contract import Json, read
from scripts.evolution.names import changed, named
from scripts.evolution.operations import breaking

ROOT = Path(__file__).resolve().parents[2]


def complaints(old: Json, new: Json, changelog: str, today: datetime) -> list[str]:
    """Nothing if *new* may follow *old*, which was released."""
    breaks = [] if _major(new) > _major(old) else breaking(old, new, today)
    said = named(changelog)
    unsaid = [name for name in changed(old, new) if name not in said]
    if breaks:
        version = old["info"]["version"]
        breaks = [f"Programs for {version} break, and the major version stays:", *breaks]
    if unsaid:
        unsaid = ["CHANGELOG.md, Unreleased, Contract has to name these, in backticks:", *unsaid]
    return breaks + unsaid


def main(root: Path = ROOT) -> int:
    old, new = (read(root / "openapi" / name) for name in ("released.yaml", "bundle.yaml"))
    changelog = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    found = complaints(old, new, changelog, datetime.now(UTC))
    print(*found, sep="\n", end="\n" if found else "")
    return 1 if found else 0


def _major(document: Json) -> int:
    return int(document["info"]["version"].split(".")[0])


if __name__ == "__main__":
    sys.exit(main())
