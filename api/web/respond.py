"""The only ways a handler answers: one envelope, always explicit about the media type."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify

from api.web import conditional, context


def ok(data: Any, *, version: int | None = None) -> Response:
    """*version*: of what is answered; with it the answer has an ``ETag``."""
    response = jsonify(status="ok", data=data)
    return response if version is None else conditional.tag(response, version)


def created(
    data: Any,
    *,
    location: str | None = None,
    version: int | None = None,
    shown_once: dict[str, str] | None = None,
) -> Response:
    """*shown_once*: more of the data, not to be kept for a repeated request."""
    if shown_once:
        context.current().shown_once = tuple(shown_once)
    response = ok(data | (shown_once or {}), version=version)
    response.status_code = 201
    if location:
        response.headers["Location"] = location
    return response


def no_content() -> Response:
    response = Response(status=204)
    del response.headers["Content-Type"]
    return response
