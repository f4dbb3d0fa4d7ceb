"""The only ways a handler answers: one envelope, always explicit about the media type."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify


def ok(data: Any) -> Response:
    return jsonify(status="ok", data=data)


def created(data: Any, *, location: str | None = None) -> Response:
    response = ok(data)
    response.status_code = 201
    if location:
        response.headers["Location"] = location
    return response


def no_content() -> Response:
    response = Response(status=204)
    del response.headers["Content-Type"]
    return response
