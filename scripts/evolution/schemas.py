"""Compares two schemas without references: one of a request may only widen, one of an answer only narrow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]
Found = Iterator[str]

WORDS = {"title", "description", "example", "deprecated", "x-errors"}
"""For people, or compared elsewhere."""
JUDGED = {"type", "format", "nullable", "enum", "x-grows", "required", "properties", "items"}
COMPOSED = {"not", "oneOf", "anyOf", "allOf"}
LOWEST = {"minLength", "minimum", "minItems", "minProperties"}
HIGHEST = {"maxLength", "maximum", "maxItems", "maxProperties"}
FLAGS = {"uniqueItems", "exclusiveMinimum", "exclusiveMaximum"}
ONE_WAY = {"readOnly", "writeOnly"}
EXACT = {"pattern", "multipleOf"}
KNOWN = WORDS | JUDGED | COMPOSED | LOWEST | HIGHEST | FLAGS | ONE_WAY | EXACT
KNOWN |= {"default", "additionalProperties"}

WIDER = {"number": {"integer"}, "int64": {"int32"}, "double": {"float"}}
"""What a wide type or format takes beside itself."""


def narrowed(where: str, old: Json, new: Json, *, asked: bool) -> Found:
    """A sentence for each break. *asked*: of a request, not of an answer.

    Bounds of an answer may widen. So may an enum of one that says ``x-grows``. What has no rule here is a break.
    """
    if old == new:
        return
    narrow, wide = (old, new) if asked else (new, old)
    if not _within(narrow, wide, "type"):
        yield f"{where} is of another type"
        return
    if not _within(narrow, wide, "format"):
        yield f"{where} is of another format"
    if narrow.get("nullable") and not wide.get("nullable"):
        yield f"{where} may {'not ' if asked else ''}be null"
    for name in sorted({*wide.get("required", ())} - {*narrow.get("required", ())}):
        yield f"{where}.{name} {'is required' if asked else 'may be missing'}"
    for key in sorted(COMPOSED & wide.keys()):
        if wide[key] != narrow.get(key):
            yield f"{where} has another {key}"
    yield from _values(where, old, new, asked=asked)
    yield from _inside(where, old, new, asked=asked)
    yield from _taken(where, old, new) if asked else _given(where, old, new)
    for key in sorted((old.keys() | new.keys()) - KNOWN):
        if old.get(key) != new.get(key):
            yield f"{where} has another {key}, which has no rule"


def _within(narrow: Json, wide: Json, key: str) -> bool:
    allowed = wide.get(key)
    return not allowed or narrow.get(key) in {allowed} | WIDER.get(allowed, set())


def _values(where: str, old: Json, new: Json, *, asked: bool) -> Found:
    narrow, wide = (old, new) if asked else (new, old)
    grows = not asked and old.get("x-grows")
    if "enum" in wide and not grows:
        if "enum" not in narrow or not {*narrow["enum"]} <= {*wide["enum"]}:
            yield f"{where} has other values"
        if not asked and new.get("x-grows"):
            yield f"{where} may have further values some day"


def _inside(where: str, old: Json, new: Json, *, asked: bool) -> Found:
    for name, was in old.get("properties", {}).items():
        if name not in new.get("properties", {}):
            yield f"{where}.{name} is gone"
        else:
            yield from narrowed(f"{where}.{name}", was, new["properties"][name], asked=asked)
    if "items" in old or "items" in new:
        yield from narrowed(f"{where}[]", old.get("items", {}), new.get("items", {}), asked=asked)
    yield from _others(where, old, new, asked=asked)


def _others(where: str, old: Json, new: Json, *, asked: bool) -> Found:
    """Properties without a name. A closed answer may open: that is how new properties come."""
    was, is_ = (schema.get("additionalProperties", True) for schema in (old, new))
    if was is False or (was is True and not asked):
        return
    if is_ is False:
        yield f"{where} has no further properties"
    else:
        either = ({} if each is True else each for each in (was, is_))
        yield from narrowed(f"{where}.*", *either, asked=asked)


def _taken(where: str, old: Json, new: Json) -> Found:
    """What only a request can break."""
    for key in sorted(EXACT & new.keys()):
        if new[key] != old.get(key):
            yield f"{where} has another {key}"
    for key in sorted(HIGHEST & new.keys()):
        if new[key] < old.get(key, float("inf")):
            yield f"{where} has a lower {key}"
    for key in sorted(LOWEST & new.keys()):
        if new[key] > old.get(key, 0 if key != "minimum" else float("-inf")):
            yield f"{where} has a higher {key}"
    for key in sorted(FLAGS | {"readOnly"}):
        if new.get(key) and not old.get(key):
            yield f"{where} is {key}"
    if old.get("default") != new.get("default"):
        yield f"{where} has another default"


def _given(where: str, old: Json, new: Json) -> Found:
    """What only an answer can break."""
    for key in sorted(EXACT & old.keys() & new.keys()):
        if new[key] != old[key]:
            yield f"{where} has another {key}"
    if old.get("uniqueItems") and not new.get("uniqueItems"):
        yield f"{where} may repeat items"
    if new.get("writeOnly") and not old.get("writeOnly"):
        yield f"{where} is writeOnly"
