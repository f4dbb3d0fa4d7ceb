"""A dashboard as a picture: the same queries, asked of a Prometheus. For the documentation and who has no Grafana."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import urlopen

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.dates import DateFormatter
from matplotlib.ticker import (
    EngFormatter,
    Formatter,
    FuncFormatter,
    PercentFormatter,
    StrMethodFormatter,
)

from scripts.dashboards.panels import Dashboard, Panel


def _duration(seconds: float, _place: object) -> str:
    for size, unit in ((86_400, "d"), (60, "min"), (1, "s")):
        if abs(seconds) >= 2 * size:
            return f"{seconds / size:g} {unit}"
    return f"{seconds * 1000:g} ms"


PLAIN = StrMethodFormatter("{x:g}")
UNITS: dict[str, tuple[str, Formatter]] = {
    "reqps": ("requests a second", PLAIN),
    "ops": ("a second", PLAIN),
    "s": ("", FuncFormatter(_duration)),
    "percentunit": ("", PercentFormatter(1)),
    "bytes": ("", EngFormatter("B")),
    "short": ("", PLAIN),
}
STEPS = 240
"""Points of a line."""
MOST_LINES = 12

Line = tuple[str, list[datetime], list[float]]


def draw(dashboard: Dashboard, prometheus: str, start: float, end: float, file: Path) -> None:
    """*start* and *end* in seconds since the epoch. Raises ``URLError`` without a Prometheus there."""
    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": dashboard.uid, "font.size": 8, "axes.grid": True})
    rows = -(-len(dashboard.panels) // 2)
    figure, places = plt.subplots(
        rows, 2, figsize=(13, 2.7 * rows), squeeze=False, layout="constrained"
    )
    for panel, axes in zip(dashboard.panels, places.flat, strict=False):
        _draw(panel, axes, prometheus, start, end)
    for axes in places.flat[len(dashboard.panels) :]:
        axes.axis("off")
    figure.suptitle(dashboard.title, fontsize=13)
    figure.savefig(file, metadata={"Date": None}, dpi=90)
    plt.close(figure)
    # git complains of spaces at the end of a line.
    file.write_text(
        re.sub(r"[ \t]+$", "", file.read_text("utf-8"), flags=re.MULTILINE), encoding="utf-8"
    )


def lines(panel: Panel, prometheus: str, start: float, end: float) -> list[Line]:
    """Legend, times and values of each line; what is no number is left out."""
    return [
        line
        for legend, query in panel.queries.items()
        for line in _asked(query, legend, prometheus, start, end)
    ]


def _asked(query: str, legend: str, prometheus: str, start: float, end: float) -> list[Line]:
    step = max(1.0, (end - start) / STEPS)
    asked = urlencode({"query": query, "start": start, "end": end, "step": step})
    with urlopen(f"{prometheus}/api/v1/query_range?{asked}", timeout=30) as answer:  # noqa: S310 - the operator's own  # nosec B310
        found = json.load(answer)["data"]["result"]
    return [_line(series, legend) for series in found]


def _line(series: dict[str, object], legend: str) -> Line:
    labels, values = series["metric"], series["values"]
    assert isinstance(labels, dict)
    assert isinstance(values, list)
    name = re.sub(r"{{(\w+)}}", lambda found: labels.get(found[1], ""), legend)
    points = [(float(when), float(value)) for when, value in values if isfinite(float(value))]
    times = [datetime.fromtimestamp(when, UTC) for when, _ in points]
    return name, times, [value for _, value in points]


def _draw(panel: Panel, axes: Axes, prometheus: str, start: float, end: float) -> None:
    label, formatter = UNITS[panel.unit]
    axes.set_title(panel.title, loc="left", fontsize=9, fontweight="bold")
    axes.set_ylabel(label)
    axes.yaxis.set_major_formatter(formatter)
    axes.xaxis.set_major_formatter(DateFormatter("%H:%M"))  # type: ignore[no-untyped-call]
    axes.set_xlim(datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(end, UTC))  # type: ignore[arg-type]
    found = lines(panel, prometheus, start, end)
    for name, times, values in found[:MOST_LINES]:
        axes.plot(times, values, label=name, linewidth=1)  # type: ignore[arg-type]
    axes.set_ylim(bottom=0)
    if found:
        axes.legend(fontsize=6, loc="upper left", framealpha=0.7)
