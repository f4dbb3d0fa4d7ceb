"""Answers that are the same for everybody, kept for as long as the contract's ``x-policy`` says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from flask import request

from api.infra import cache
from api.web import context
from api.web.pagination import Asked, Json

FREE_FILTERS = {"q", "created_after", "created_before"}


def public_list(group: str, wanted: Asked, fill: Callable[[], Json]) -> Json:
    """A part of a list. Only what the contract names tells one from another.

    What is asked for by words or times hardly anybody asks for twice, but one caller could fill Redis with it.
    """
    if wanted.given.keys() & FREE_FILTERS:
        return fill()
    place = f"page:{wanted.page}" if wanted.page else f"after:{wanted.window.after}"
    rest = urlencode({"path": request.path, **dict(sorted(wanted.given.items()))})
    return public(group, f"{place}:size:{wanted.window.size}:{rest}", fill)


def public(group: str, rest: str, fill: Callable[[], Json]) -> Json:
    """Never to be called for what only some may see."""
    context.current().group = group
    found: dict[str, Any] = cache.cache().remembered(
        group, rest, context.operation().policy.cache, fill
    )
    return found
