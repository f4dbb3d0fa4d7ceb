"""Makes Grafana's dashboards, and draws them.

python -m scripts.dashboards                       writes monitoring/grafana/dashboards/
python -m scripts.dashboards --check               writes nothing, fails when one is stale
python -m scripts.dashboards --draw URL [--minutes N] [--into FOLDER]
                                                   draws them from a Prometheus, as docs/observability shows them
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from scripts.dashboards.grafana import document
from scripts.dashboards.panels import DASHBOARDS

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "monitoring/grafana/dashboards"
PICTURES = ROOT / "docs/observability"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--draw", metavar="URL")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--into", type=Path, default=PICTURES)
    given = parser.parse_args(arguments)
    if given.draw:
        return _draw(given.draw, given.minutes, given.into)
    made = {FOLDER / f"{each.uid}.json": document(each) for each in DASHBOARDS}
    if given.check:
        return _check(made)
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path, text in made.items():
        path.write_text(text, encoding="utf-8")
    return 0


def _draw(url: str, minutes: float, folder: Path) -> int:
    from scripts.dashboards.picture import draw

    folder.mkdir(parents=True, exist_ok=True)
    end = time.time()
    for each in DASHBOARDS:
        draw(each, url, end - minutes * 60, end, folder / f"{each.uid}.svg")
    return 0


def _check(made: dict[Path, str]) -> int:
    stale = [
        path.relative_to(ROOT)
        for path, text in made.items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    for path in stale:
        print(f"{path} is stale: run python -m scripts.dashboards")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
