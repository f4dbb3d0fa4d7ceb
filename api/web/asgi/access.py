"""What is written and counted of every request, once it is over."""

from __future__ import annotations

import logging
import time
from functools import cache
from typing import Any, Protocol

from prometheus_client import Counter, Histogram
from starlette.types import Scope

from api.infra import metrics
from api.web.asgi.headers import first
from api.web.context import RequestContext

log = logging.getLogger("madang.access")

LONGEST_AGENT = 200
METHODS = frozenset(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
UNMATCHED = "none"
"""The endpoint of what no operation is for; its path would be a label of anybody's making."""
LEVELS = {level: logging.getLevelName(level) for level in (logging.INFO, logging.WARNING)}
_BLANK = vars(logging.makeLogRecord({"name": log.name, "msg": "request", "args": None}))
"""Which line of code, thread and process it comes from is not asked each time: that takes as long as all the rest.

``created`` alone is of the line; what else tells the time (``msecs``) is of the start.
"""
OUTCOMES = {"log_in": metrics.LOGINS, "sign_up": metrics.SIGN_UPS}


class Answer(Protocol):
    status: int
    """0 when there was none: the client left."""
    bytes: int


def begin() -> float:
    """When the request came, for ``end``."""
    metrics.HTTP_IN_PROGRESS.inc()
    return time.perf_counter()


def end(scope: Scope, request: RequestContext, answer: Answer, started: float) -> None:
    """Whatever became of the request."""
    metrics.HTTP_IN_PROGRESS.dec()
    method, seconds = scope["method"], time.perf_counter() - started
    _count(method, request, answer.status, seconds)
    _write(scope, request, answer, seconds)
    _end_span(method, request, answer.status)


def _count(method: str, request: RequestContext, status: int, seconds: float) -> None:
    operation = request.operation
    endpoint = operation.path if operation else UNMATCHED
    requests, duration = _of(method if method in METHODS else "other", endpoint, status)
    requests.inc()
    duration.observe(seconds)
    if status >= 500:
        metrics.HTTP_ERRORS.inc()
    if request.refusal:
        _refused(request.refusal).inc()
    if operation and operation.id in OUTCOMES:
        OUTCOMES[operation.id].labels(request.refusal or "OK").inc()


@cache
def _of(method: str, endpoint: str, status: int) -> tuple[Counter, Histogram]:
    """Finding them by their labels costs more than counting."""
    return (
        metrics.HTTP_REQUESTS.labels(method, endpoint, str(status)),
        metrics.HTTP_DURATION.labels(method, endpoint),
    )


@cache
def _refused(code: str) -> Counter:
    return metrics.HTTP_REFUSALS.labels(code)


def _write(scope: Scope, request: RequestContext, answer: Answer, seconds: float) -> None:
    """The path as such is not written: a secret may have been put into it."""
    fields: dict[str, Any] = {
        "method": scope["method"][:16],
        "route": request.operation.path if request.operation else None,
        "status": answer.status,
        "duration_ms": round(seconds * 1000, 2),
        "bytes": answer.bytes,
        "ip": request.ip,
        "user_agent": (first(scope, b"user-agent") or "")[:LONGEST_AGENT],
        "user_id": str(request.actor.user_id) if request.actor and request.actor.user_id else None,
        "code": request.refusal,
        "faults": request.faults,
    }
    level = logging.WARNING if answer.status >= 500 else logging.INFO
    if log.isEnabledFor(level):
        record = logging.LogRecord.__new__(logging.LogRecord)
        told = {"created": time.time(), "levelno": level, "levelname": LEVELS[level]}
        record.__dict__ = {**_BLANK, **told, **fields}
        log.handle(record)


def _end_span(method: str, request: RequestContext, status: int) -> None:
    """By OpenTelemetry's semantic conventions for HTTP, of which the path as such is left out here too."""
    route = request.operation.path if request.operation else UNMATCHED
    known = method if method in METHODS else "_OTHER"
    attributes: dict[str, str | int] = {
        "http.request.method": known,
        "http.route": route,
        "http.response.status_code": status,
        "madang.request_id": request.request_id,
    }
    if request.refusal:
        # Only what is our fault is an error.
        attributes["error.type" if status >= 500 else "madang.code"] = request.refusal
    request.span.end(f"{known} {route}", attributes)
