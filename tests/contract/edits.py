"""Small edits of a contract. Keys of a place stand between ``#``, since paths of the API have slashes."""

from __future__ import annotations

import re
from collections.abc import Callable
from copy import deepcopy
from typing import Any

Json = dict[str, Any]
Edit = Callable[[Json], object]


def put(path: str, value: Any) -> Edit:
    def edit(document: Json) -> None:
        place, last = _place(document, path)
        place[last] = deepcopy(value)

    return edit


def drop(path: str) -> Edit:
    def edit(document: Json) -> None:
        place, last = _place(document, path)
        del place[last]

    return edit


def add(path: str, value: Any) -> Edit:
    """Append to the list at *path*."""

    def edit(document: Json) -> None:
        place, last = _place(document, path)
        place[last] = [*place.get(last, []), deepcopy(value)]

    return edit


def remove(path: str, value: Any) -> Edit:
    """Take out of the list at *path*."""

    def edit(document: Json) -> None:
        place, last = _place(document, path)
        place[last].remove(value)

    return edit


def _place(document: Json, path: str) -> tuple[Any, Any]:
    *way, last = (int(key) if re.fullmatch(r"\d", key) else key for key in path.split("#"))
    node: Any = document
    for key in way:
        node = node[key]
    return node, last


def every(*edits: Edit) -> Edit:
    def edit(document: Json) -> None:
        for each in edits:
            each(document)

    return edit


def copied(source: str, target: str) -> Edit:
    def edit(document: Json) -> None:
        place, last = _place(document, source)
        put(target, place[last])(document)

    return edit
