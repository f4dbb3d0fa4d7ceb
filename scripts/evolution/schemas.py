"""Compares two schemas without references: one of a request may only widen, one of an answer only narrow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]
Found = Iterator[str]

COMPOSED = ("not", "oneOf", "anyOf", "allOf")
EXACT = ("pattern", "uniqueItems", "multipleOf")
LOWEST, HIGHEST = ("minLength", "minimum", "minItems"), ("maxLength", "maximum", "maxItems")


def narrowed(where: str, old: Json, new: Json, *, asked: bool) -> Found:
    """A sentence for each break. *asked*: of a request, not of an answer.

    Bounds and patterns of an answer may widen. So may an enum of one that says ``x-grows``.
    """
    if old == new:
        return
    narrow, wide = (old, new) if asked else (new, old)
    if wide.get("type") and narrow.get("type") != wide["type"]:
        yield f"{where} is of another type"
        return
    if wide.get("format") and narrow.get("format") != wide["format"]:
        yield f"{where} is of another format"
    if narrow.get("nullable") and not wide.get("nullable"):
        yield f"{where} may {'not ' if asked else ''}be null"
    grows = not asked and old.get("x-grows")
    if "enum" in wide and not grows and not {*narrow.get("enum", [None])} <= {*wide["enum"]}:
        yield f"{where} has other values"
    for name in sorted({*wide.get("required", ())} - {*narrow.get("required", ())}):
        yield f"{where}.{name} {'is required' if asked else 'may be missing'}"
    for key in COMPOSED:
        if key in wide and wide[key] != narrow.get(key):
            yield f"{where} has another {key}"
    yield from _inside(where, old, new, asked=asked)
    if asked:
        yield from _bounds(where, old, new)


def _inside(where: str, old: Json, new: Json, *, asked: bool) -> Found:
    for name, was in old.get("properties", {}).items():
        if name not in new.get("properties", {}):
            yield f"{where}.{name} is gone"
        else:
            yield from narrowed(f"{where}.{name}", was, new["properties"][name], asked=asked)
    for key in ("items", "additionalProperties"):
        if isinstance(old.get(key), dict) and isinstance(new.get(key), dict):
            yield from narrowed(f"{where}[]", old[key], new[key], asked=asked)


def _bounds(where: str, old: Json, new: Json) -> Found:
    for key in EXACT:
        if key in new and new[key] != old.get(key):
            yield f"{where} has another {key}"
    for key in HIGHEST:
        if key in new and new[key] < old.get(key, float("inf")):
            yield f"{where} has a lower {key}"
    for key in LOWEST:
        if key in new and new[key] > old.get(key, float("-inf")):
            yield f"{where} has a higher {key}"
    if "default" in old and old["default"] != new.get("default"):
        yield f"{where} has another default"
