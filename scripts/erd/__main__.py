"""Write docs/erd.dbml and docs/erd.svg.

Without arguments it writes them; with ``--check`` it writes nothing and fails when one is stale.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from scripts.erd import render

DOCS = Path(__file__).resolve().parents[2] / "docs"


def main(arguments: list[str] | None = None, folder: Path = DOCS) -> int:
    parser = argparse.ArgumentParser(prog="python -m scripts.erd", description=__doc__)
    parser.add_argument("--check", action="store_true", help="only tell whether they are stale")
    options = parser.parse_args(arguments)
    stale = 0
    for name, text in render().items():
        file = folder / name
        if not options.check:
            file.write_text(text, encoding="utf-8")
        elif not file.exists() or file.read_text(encoding="utf-8") != text:
            print(f"{file} is stale: run python -m scripts.erd", file=sys.stderr)
            stale = 1
    return stale


if __name__ == "__main__":
    sys.exit(main())
