"""Numbered pages: the envelope of a list and its ``Link`` header (RFC 8288)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from flask import Response, request

from api.web.respond import ok

LAST_PAGE = 100
"""The contract's maximum of ``page``: there is no ``next`` beyond it."""


@dataclass(frozen=True, slots=True)
class Page:
    number: int
    size: int

    @property
    def offset(self) -> int:
        return (self.number - 1) * self.size


def paged(items: list[Any], page: Page, total: int) -> Response:
    """One page of a list. ``next`` and ``prev`` are relative URLs or null."""
    more = page.offset + page.size < total and page.number < LAST_PAGE
    links = {
        "next": _link(page, page.number + 1) if more else None,
        "prev": _link(page, page.number - 1) if page.number > 1 else None,
    }
    response = ok({"items": items, "page": page.number, "size": page.size, "total": total, **links})
    if header := ", ".join(f'<{url}>; rel="{rel}"' for rel, url in links.items() if url):
        response.headers["Link"] = header
    return response


def _link(page: Page, number: int) -> str:
    query = {**request.args.to_dict(), "page": number, "size": page.size}
    return f"{request.path}?{urlencode(query)}"
