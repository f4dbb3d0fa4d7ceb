"""Every failure leaves the service in one shape, whichever layer it comes from.

The blueprint answers what was raised in Flask, ``api.web.asgi.errors`` what was raised before it.
"""

from __future__ import annotations

import json
import logging
import traceback
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Flask, Response, current_app
from sqlalchemy.exc import SQLAlchemyError

from api.errors import DomainError, Unavailable
from api.infra import db_errors
from api.infra.metrics import UNEXPECTED_ERRORS
from api.web import context

JSON = "application/json"
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
    """The one shape. Anything but a ``DomainError`` is a bug: logged whole, told to nobody."""
    if isinstance(err, SQLAlchemyError):
        err = db_errors.translate(err)
    error: dict[str, Any] = {"code": "INTERNAL", "message": "Something went wrong on our side."}
    status, headers = HTTPStatus.INTERNAL_SERVER_ERROR, {}
    if isinstance(err, DomainError):
        status, headers = err.status, err.headers
        error = {"code": err.code, "message": err.message}
        details = dict(list(err.details.items())[:MOST_DETAILS])
        log_refusal(err)
    else:
        details = {}
        UNEXPECTED_ERRORS.inc()
        log.error("unexpected error", exc_info=err)
        if debug:
            error["stack"] = traceback.format_exception(err)
    error |= {"details": details, "request_id": context.current().request_id}
    body = json.dumps({"status": "error", "error": error}, separators=(",", ":")).encode()
    return Failure(status, headers, body)


def log_refusal(err: DomainError) -> None:
    level = logging.WARNING if isinstance(err, Unavailable) else logging.INFO
    log.log(level, "refused", extra={"code": err.code, "faults": len(err.details)})


@bp.app_errorhandler(Exception)
def answer(err: Exception) -> Response:
    found = failure(err, debug=current_app.debug)
    return Response(found.body, found.status, found.headers, mimetype=JSON)


def install(flask: Flask) -> None:
    flask.register_blueprint(bp)
