"""A picture of what was compared: how much of FastAPI's throughput and processor time each server has."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.rivals import FASTAPI

if TYPE_CHECKING:
    from benchmarks.compare import Run

WIDTH = 0.8
"""Of all bars of one work, where its neighbour begins at 1."""
PANELS: tuple[tuple[str, Callable[[Run], float]], ...] = (
    ("requests/s, FastAPI's = 1 (more is better)", lambda run: run.rate),
    ("processor time of a request, FastAPI's = 1 (less is better)", lambda run: run.cpu),
)


def draw(found: Mapping[str, Mapping[str, Sequence[Run]]], out: Path) -> None:
    """As SVG and PNG beside *out*, whose ending is replaced. Bars are medians, lines the least and the most."""
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "madang"  # the same figures give the same bytes
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(len(PANELS), 1, figsize=(10, 8), layout="constrained")
    for panel, (title, get) in zip(panels, PANELS, strict=True):
        _panel(panel, title, found, get)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=6)
    figure.savefig(out.with_suffix(".svg"), metadata={"Date": None})
    figure.savefig(out.with_suffix(".png"), dpi=110, metadata={"Software": None})
    plt.close(figure)
    # git complains of spaces at the end of a line.
    svg = out.with_suffix(".svg")
    svg.write_text(re.sub(r"[ \t]+$", "", svg.read_text("utf-8"), flags=re.MULTILINE), "utf-8")


def _panel(
    panel: Any,
    title: str,
    found: Mapping[str, Mapping[str, Sequence[Run]]],
    get: Callable[[Run], float],
) -> None:
    works = list(found)
    names = list(dict.fromkeys(name for by in found.values() for name in by))
    for place, name in enumerate(names):
        measured = [(at, _ratios(found[work], name, get)) for at, work in enumerate(works)]
        bars = [(at, ratios) for at, ratios in measured if ratios]
        middles = [median(ratios) for _, ratios in bars]
        panel.bar(
            [at + (place - (len(names) - 1) / 2) * WIDTH / len(names) for at, _ in bars],
            middles,
            WIDTH / len(names),
            label=name,
            yerr=[
                [middle - min(ratios) for middle, (_, ratios) in zip(middles, bars, strict=True)],
                [max(ratios) - middle for middle, (_, ratios) in zip(middles, bars, strict=True)],
            ],
            error_kw={"linewidth": 0.8},
        )
    panel.set_title(title, loc="left", fontsize="medium")
    panel.set_yscale("log")
    panel.axhline(1, color="black", linewidth=0.8)
    panel.set_xticks(range(len(works)), works)


def _ratios(by: Mapping[str, Sequence[Run]], name: str, get: Callable[[Run], float]) -> list[float]:
    """Of each round; empty for one that was not asked."""
    runs = by.get(name, [])
    return [get(a) / get(b) for a, b in zip(runs, by[FASTAPI][: len(runs)], strict=True)]
