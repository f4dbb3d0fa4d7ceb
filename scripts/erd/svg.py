"""The picture of the tables: a box each, and a line for each reference, with a crow's foot at its many end."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

from scripts.erd.layout import HEAD, MARGIN, MARKS, PADDING, ROW, Box, place, type_of
from scripts.erd.routes import Line, connect
from scripts.erd.schema import Column, Table

STYLE = """
text { font: 12px ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace; fill: #1f2933 }
.name { font-weight: bold; fill: #ffffff }
.mark, .type, .word, .legend { fill: #66758a }
.mark, .word { font-size: 10px }
.key { font-weight: bold }
.box { fill: #ffffff; stroke: #9aa8b8 }
.head { fill: #2f4858 }
.rule { stroke: #e4e9ef }
.line { fill: none; stroke: #33658a; stroke-width: 1.3; stroke-linejoin: round }
.ring { fill: #ffffff; stroke: #33658a; stroke-width: 1.3 }
"""
LEGEND = (
    "PK primary key · FK foreign key · U unique · ? may be null · "
    "cascade, set null: what becomes of the row when the one it refers to is deleted"
)
FOOT, TOE, RING, BAR = 12, 5, 3, 3


def write(tables: list[Table]) -> str:
    boxes = place(tables)
    width = max(box.right for box in boxes.values()) + MARGIN
    legend = max(box.bottom for box in boxes.values()) + MARGIN + PADDING
    height = legend + MARGIN
    root = ET.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {_number(width)} {_number(height)}",
            "width": _number(width),
            "height": _number(height),
            "role": "img",
        },
    )
    ET.SubElement(root, "title").text = "The tables of Madang and how they refer to each other"
    # Said here as well, so that nobody edits it.
    ET.SubElement(root, "desc").text = "Made from api/models by python -m scripts.erd"
    ET.SubElement(root, "style").text = STYLE
    _draw(root, "rect", x=0, y=0, width=width, height=height, fill="#f7f9fb")
    lines = list(connect(boxes))
    for line in lines:
        _path(root, line)
    for box in boxes.values():
        _box(root, box)
    for line in lines:
        _ends(root, line)
    _text(root, LEGEND, "legend", MARGIN, legend)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"


def _box(root: ET.Element, box: Box) -> None:
    height = box.bottom - box.y
    group = ET.SubElement(root, "g")
    ET.SubElement(group, "title").text = box.table.note
    _draw(group, "rect", "box", x=box.x, y=box.y, width=box.width, height=height, rx=4)
    top = f"M{_number(box.x)} {_number(box.y + HEAD)}v{4 - HEAD}q0 -4 4 -4"
    _draw(group, "path", "head", d=f"{top}h{_number(box.width - 8)}q4 0 4 4v{HEAD - 4}z")
    _text(group, box.table.name, "name", box.x + PADDING, box.y + HEAD / 2)
    for number, column in enumerate(box.table.columns):
        _row(group, box, column, is_first=number == 0)


def _row(group: ET.Element, box: Box, column: Column, *, is_first: bool) -> None:
    y = box.middle_of(column.name)
    if not is_first:
        above = y - ROW / 2
        _draw(group, "line", "rule", x1=box.x + 1, y1=above, x2=box.right - 1, y2=above)
    refers = any(each.column == column.name for each in box.table.references)
    mark = "PK" if column.is_key else "FK" if refers else "U" if column.is_unique else ""
    if mark:
        _text(group, mark, "mark", box.x + PADDING, y)
    _text(group, column.name, "key" if column.is_key else "", box.x + PADDING + MARKS, y)
    kind = _text(group, type_of(column), "type", box.right - PADDING, y)
    kind.set("text-anchor", "end")


def _path(root: ET.Element, line: Line) -> None:
    points = " ".join(f"{_number(x)},{_number(y)}" for x, y in line.points)
    _draw(root, "polyline", "line", points=points)


def _ends(root: ET.Element, line: Line) -> None:
    """None or many at the child's end; one, or none or one, at the parent's."""
    x, y = line.points[0]
    for toe in (-TOE, TOE):
        _draw(root, "line", "line", x1=x - FOOT, y1=y, x2=x, y2=y + toe)
    _draw(root, "circle", "ring", cx=x - FOOT - RING, cy=y, r=RING)
    word = _text(root, line.reference.on_delete, "word", x - FOOT - 2 * RING - 4, y - 7)
    word.set("text-anchor", "end")
    x, y = line.points[-1]
    out = 1 if line.points[-2][0] > x else -1
    _draw(root, "line", "line", x1=x + 6 * out, y1=y - BAR, x2=x + 6 * out, y2=y + BAR)
    if line.is_optional:
        _draw(root, "circle", "ring", cx=x + 12 * out, cy=y, r=RING)
    else:
        _draw(root, "line", "line", x1=x + 10 * out, y1=y - BAR, x2=x + 10 * out, y2=y + BAR)


def _text(parent: ET.Element, text: str, kind: str, x: float, y: float) -> ET.Element:
    element = _draw(parent, "text", kind, x=x, y=y, dy="0.35em")
    element.text = text
    return element


def _draw(parent: ET.Element, tag: str, kind: str = "", **values: Any) -> ET.Element:
    named = {"class": kind} if kind else {}
    return ET.SubElement(parent, tag, named | {name: _number(v) for name, v in values.items()})


def _number(value: float | str) -> str:
    """Without the tail that binary fractions have."""
    return value if isinstance(value, str) else f"{value:.1f}".removesuffix(".0")
