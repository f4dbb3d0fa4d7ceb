"""Every failure leaves the service in one shape, whichever layer it comes from.

The blueprint answers what was raised in Flask, ``api.web.asgi.errors`` what was raised before it.
"""

from __future__ import annotations

import logging
import traceback
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import orjson
from flask import Blueprint, Flask, Response, current_app
from sqlalchemy.exc import SQLAlchemyError

from api.errors import DomainError
from api.infra import db_errors
from api.infra.metrics import UNEXPECTED_ERRORS
from api.web import context

JSON = "application/json"
INTERNAL = "INTERNAL"
MOST_DETAILS = 20
"""Faults named in one answer, so that no refusal is larger than 4 KiB."""

bp = Blueprint("errorhandler", __name__)
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Failure:
    status: HTTPStatus
    headers: dict[str, str]
    body: bytes


def failure(err: Exception, *, debug: bool) -> Failure:
    """What to answer. Anything but a ``DomainError`` is a bug: logged whole, told to nobody."""
    if isinstance(err, SQLAlchemyError):
        err = db_errors.translate(err)
    request = context.current()
    if isinstance(err, DomainError):
        request.refusal, request.faults = err.code, len(err.details)
        return shape(err, request_id=request.request_id)
    request.refusal = INTERNAL
    UNEXPECTED_ERRORS.inc()
    log.error("unexpected error", exc_info=err)
    stack = traceback.format_exception(err) if debug else None
    return shape(None, request_id=request.request_id, stack=stack)


def shape(err: DomainError | None, *, request_id: str, stack: list[str] | None = None) -> Failure:
    """The one shape of a failure; ``None`` is a bug."""
    status = err.status if err else HTTPStatus.INTERNAL_SERVER_ERROR
    error: dict[str, Any] = {
        "code": err.code if err else INTERNAL,
        "message": err.message if err else "Something went wrong on our side.",
        "details": dict(list(err.details.items())[:MOST_DETAILS]) if err else {},
        "request_id": request_id,
    }
    if stack:
        error["stack"] = stack
    body = orjson.dumps({"status": "error", "error": error})
    return Failure(status, err.headers if err else {}, body)


@bp.app_errorhandler(Exception)
def answer(err: Exception) -> Response:
    found = failure(err, debug=current_app.debug)
    return Response(found.body, found.status, found.headers, mimetype=JSON)


def install(flask: Flask) -> None:
    flask.register_blueprint(bp)
