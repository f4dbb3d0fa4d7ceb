"""Lists on the wire: which part is asked for, and its envelope with the ``Link`` header (RFC 8288).

Pages are numbered up to ``LAST_PAGE``, or walked through by a cursor, which remembers the list, its
filters and its order, so that nobody can lose half of them on the way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import urlencode
from uuid import UUID

from flask import Response, request

from api.errors import NotFound
from api.infra.paging import Key, Part, Window
from api.web import context
from api.web.conditional import NO_VERSION
from api.web.respond import ok
from api.web.runtime import runtime

T = TypeVar("T")
Json = dict[str, Any]

LAST_PAGE = 100
"""The contract's maximum of ``page``: there is no ``next`` beyond it."""
TYPES: dict[str, Callable[[str], Any]] = {
    "uuid": UUID,
    # In UTC, since PostgreSQL refuses offsets that RFC 3339 allows, from 16 hours on.
    "date-time": lambda text: datetime.fromisoformat(text).astimezone(UTC),
}
"""What a filter becomes by the format that the contract gives it."""


class CursorUnknown(NotFound):
    code = "CURSOR_UNKNOWN"
    message = "This cursor belongs to another list, another order, or to nothing."


@dataclass(frozen=True, slots=True)
class Asked:
    window: Window
    page: int | None
    given: Json
    """The filters and the order as they stand in the request or in its cursor; absent ones left out."""

    @property
    def filters(self) -> Json:
        return {name: _typed(name, value) for name, value in self.given.items()}


def asked(*, page: int = 1, size: int = 20, cursor: str | None = None, **given: Any) -> Asked:
    """Which part of a list a request is for. Raises ``CursorUnknown``."""
    if cursor is None:
        return Asked(Window(size, offset=(page - 1) * size), page, given)
    if not cursor:
        return Asked(Window(size, after=()), None, given)
    note = runtime().cursors.read(cursor)
    if note is None or note["list"] != request.path or not given.items() <= note["given"].items():
        raise CursorUnknown()
    return Asked(Window(size, after=note["after"]), None, note["given"])


def listed(wanted: Asked, part: Part[T], dump: Callable[..., list[Json]]) -> Json:
    """The ``data`` of a list. ``next`` and ``prev`` are relative URLs or null."""
    return {
        "items": dump(part.items, many=True),
        "page": wanted.page,
        "size": wanted.window.size,
        "total": part.total,
        "next": _next(wanted, part.end),
        "prev": _numbered(wanted, wanted.page - 1) if wanted.page and wanted.page > 1 else None,
    }


def paged(data: Json) -> Response:
    """A list, its ``next`` and ``prev`` once more where programs that follow RFC 8288 look for them."""
    response = ok(data, version=NO_VERSION)
    if links := ", ".join(f'<{data[rel]}>; rel="{rel}"' for rel in ("next", "prev") if data[rel]):
        response.headers["Link"] = links
    return response


def _typed(name: str, value: Any) -> Any:
    """Values are as the contract wants them already, so none of these can fail."""
    parameters = context.operation().parameters
    [schema] = [parameter["schema"] for parameter in parameters if parameter["name"] == name]
    become = TYPES.get(schema.get("format", ""))
    return become(value) if become else value


def _next(wanted: Asked, end: Key | None) -> str | None:
    if end is None:
        return None
    if wanted.page is not None:
        return _numbered(wanted, wanted.page + 1) if wanted.page < LAST_PAGE else None
    note = {"list": request.path, "given": wanted.given}
    return _url({"cursor": runtime().cursors.write(note, end), "size": wanted.window.size})


def _numbered(wanted: Asked, number: int) -> str:
    return _url({**request.args.to_dict(), "page": number, "size": wanted.window.size})


def _url(query: Json) -> str:
    return f"{request.path}?{urlencode(query)}"
