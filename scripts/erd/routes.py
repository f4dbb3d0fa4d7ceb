"""How the lines of the picture run: in lanes between the layers, above all boxes where they skip one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from scripts.erd.layout import CHILD, LANE, MARGIN, PARENT, ROW, Box
from scripts.erd.schema import Reference

PORT = 7
"""The most between two lines that end at one column."""
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Line:
    """From the child's column on the left of its box to the parent's on the right of its own."""

    reference: Reference
    child: Box
    parent: Box
    is_optional: bool
    points: tuple[Point, ...]

    @property
    def start(self) -> float:
        return self.child.middle_of(self.reference.column)

    @property
    def goes_above(self) -> bool:
        return self.child.layer - self.parent.layer > 1

    @property
    def height(self) -> float:
        """Where it comes from, as its parent sees it."""
        return 0 if self.goes_above else self.start


def connect(boxes: dict[str, Box]) -> Iterator[Line]:
    lines = [
        Line(reference, child, boxes[reference.to_table], _is_optional(child, reference), ())
        for child in boxes.values()
        for reference in child.table.references
    ]
    above = [line for line in lines if line.goes_above]
    for line in lines:
        yield Line(
            line.reference, line.child, line.parent, line.is_optional, _points(line, lines, above)
        )


def _is_optional(child: Box, reference: Reference) -> bool:
    return any(c.is_nullable for c in child.table.columns if c.name == reference.column)


def _points(line: Line, lines: list[Line], above: list[Line]) -> tuple[Point, ...]:
    begin, port = (line.child.x, line.start), _port(line, lines)
    if line.child is line.parent:
        aside = line.child.x - PARENT / 2
        return begin, (aside, line.start), (aside, port), (line.child.x, port)
    last = _lane(line, lines, line.parent.layer)
    end = ((last, port), (line.parent.right, port))
    if not line.goes_above:
        return begin, (last, line.start), *end
    first = _lane(line, lines, line.child.layer - 1)
    over = MARGIN + LANE * above.index(line)
    return begin, (first, line.start), (first, over), (last, over), *end


def _port(line: Line, lines: list[Line]) -> float:
    """The lines that end at one column do so in the order in which they come."""
    here = [
        each
        for each in lines
        if (each.parent, each.reference.to_column) == (line.parent, line.reference.to_column)
    ]
    here.sort(key=lambda each: each.height)
    apart = min(PORT, ROW / len(here))
    shift = apart * (here.index(line) - (len(here) - 1) / 2)
    return line.parent.middle_of(line.reference.to_column) + shift


def _lane(line: Line, lines: list[Line], gap: int) -> float:
    """The lower a line begins, the farther left it turns, so that two rarely cross."""
    busy = [each for each in lines if each.parent.layer == gap < each.child.layer]
    busy += [each for each in lines if each.goes_above and each.child.layer == gap + 1]
    busy.sort(key=lambda each: (each.parent.layer == gap, each.height), reverse=True)
    edge = max(each.child.x for each in busy if each.child.layer == gap + 1) - CHILD
    return edge - LANE * (len(busy) - busy.index(line) - 0.5)
