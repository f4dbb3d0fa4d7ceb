"""Where the boxes of the picture stand, in pixels; the same tables always stand the same way.

In layers from left to right, each table behind all that it refers to; those without any reference last.
"""

from __future__ import annotations

from dataclasses import dataclass

from scripts.erd.schema import Column, Table

CHARACTER, ROW, HEAD, PADDING = 7.3, 22, 28, 10
MARKS = 28
"""The place for PK, FK and U in front of a name."""
MARGIN, GAP, LANE = 24, 36, 14
PARENT, CHILD = 30, 74
"""What a line needs for the sign at its parent's end, and for sign and word at its child's."""


@dataclass(frozen=True, slots=True)
class Box:
    table: Table
    layer: int
    x: float
    y: float
    width: float

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def bottom(self) -> float:
        return self.y + HEAD + ROW * len(self.table.columns)

    def middle_of(self, column: str) -> float:
        names = [each.name for each in self.table.columns]
        return self.y + HEAD + ROW * (names.index(column) + 0.5)


def type_of(column: Column) -> str:
    return f"{column.type}?" if column.is_nullable else column.type


def place(tables: list[Table]) -> dict[str, Box]:
    """Each box level with the first one that it refers to, or beneath the one above it."""
    layers = _layers(tables)
    depth = {table.name: number for number, layer in enumerate(layers) for table in layer}
    top = MARGIN + LANE * _lanes(tables, depth, above=True, gap=0)
    boxes: dict[str, Box] = {}
    x: float = MARGIN
    for number, layer in enumerate(layers):
        free: float = top
        width = max(map(_width, layer), default=0)
        for table in layer:
            level = min((boxes[name].y for name in _parents(table)), default=top)
            boxes[table.name] = box = Box(table, number, x, max(free, level), width)
            free = box.bottom + GAP
        lanes = _lanes(tables, depth, above=False, gap=number)
        x += width + (PARENT + LANE * lanes + CHILD if lanes else 2 * GAP)
    return boxes


def _parents(table: Table) -> set[str]:
    return {each.to_table for each in table.references} - {table.name}


def _layers(tables: list[Table]) -> list[list[Table]]:
    """*tables*: each behind those that it refers to."""
    linked = {name for table in tables for name in _parents(table)}
    linked |= {table.name for table in tables if _parents(table)}
    depth: dict[str, int] = {}
    for table in tables:
        depth[table.name] = max((depth[name] + 1 for name in _parents(table)), default=0)
    layers = [
        [table for table in tables if depth[table.name] == number and table.name in linked]
        for number in range(max(depth.values(), default=0) + 1)
    ]
    return [*layers, [table for table in tables if table.name not in linked]]


def _lanes(tables: list[Table], depth: dict[str, int], *, above: bool, gap: int) -> int:
    """How many lines run above all, or between the layers *gap* and *gap* + 1."""
    spans = [(depth[r.to_table], depth[t.name]) for t in tables for r in t.references]
    if above:
        return sum(child - parent > 1 for parent, child in spans)
    return sum(parent < child and gap in {parent, child - 1} for parent, child in spans)


def _width(table: Table) -> float:
    rows = (MARKS + CHARACTER * (len(c.name) + len(type_of(c)) + 2) for c in table.columns)
    return 2 * PADDING + max([CHARACTER * (len(table.name) + 2), *rows])
