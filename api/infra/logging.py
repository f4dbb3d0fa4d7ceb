"""One JSON object a line on standard output, with the request it belongs to; for people's eyes in development."""

from __future__ import annotations

import json
import logging
import logging.config
import re
import select
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from types import TracebackType
from typing import Any

import orjson
from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

from api.config import Settings
from api.infra.masking import masked

request_fields: ContextVar[dict[str, Any]] = ContextVar("request_fields", default={})  # noqa: B039
"""What every line written during a request carries; set by the outermost layer, never mutated."""

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
OURS = frozenset(
    [
        "timestamp",
        "level",
        "logger",
        "service",
        "env",
        "version",
        "trace_id",
        "span_id",
        "user_id",
        "route",
        "status",
    ]
)
"""Fields that nobody else can put anything into."""
NOT_TOLD = frozenset(RESERVED_ATTRS)
"""What a record has beside the fields that somebody gave it."""
# Whatever moves a cursor, ends a line or turns the direction of writing: C0, C1, line and paragraph separators, bidi.
CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class RequestFields(logging.Filter):
    """For the handler that is called first, since it has to be asked in the request's own context."""

    def filter(self, record: logging.LogRecord) -> bool:
        for name, value in request_fields.get().items():
            setattr(record, name, value)
        return True


class Json(JsonFormatter):
    """Tells types and places of exceptions, not their texts: those repeat what a client sent, or
    what a row holds (PostgreSQL's "Key (email)=(...) already exists")."""

    def formatException(self, ei: ExcInfo) -> str:  # noqa: N802 - the name is logging's
        parts: list[str] = []
        seen, err = set(), ei[1]
        while err is not None and id(err) not in seen:  # an error may be its own cause
            seen.add(id(err))
            name = f"{type(err).__module__}.{type(err).__qualname__}"
            parts.append("".join(traceback.format_tb(err.__traceback__)) + name)
            err = err.__cause__ or (None if err.__suppress_context__ else err.__context__)
        return "\n\nled to\n\n".join(reversed(parts))

    def add_fields(
        self,
        log_data: dict[str, Any],
        record: logging.LogRecord,
        message_dict: dict[str, Any],
    ) -> None:
        """As inherited, but that no field of any line is asked whether it has another name here: two do."""
        log_data |= {"level": record.levelname, "logger": record.name, "message": record.message}
        log_data |= self.static_fields | message_dict
        log_data |= {
            name: each
            for name, each in vars(record).items()
            if name not in NOT_TOLD and not name.startswith("_")
        }
        log_data["timestamp"] = datetime.fromtimestamp(record.created, UTC)

    def jsonify_log_record(self, log_data: dict[str, Any]) -> str:
        """ASCII only, so that no line or terminal can be broken from inside."""
        try:
            line = orjson.dumps(log_data).decode()
        except TypeError:  # what JSON has no type for, or half a character
            return super().jsonify_log_record(log_data)
        is_clean = line.isascii() and line.isprintable()
        return line if is_clean else super().jsonify_log_record(log_data)

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        return {
            name: value if value is None or name in OURS else _without_secrets(value)
            for name, value in log_data.items()
        }


class Readable(logging.Formatter):
    """``12:00:00.000 INFO request GET /api/v1/posts 200 3.1 ms``, and exceptions in full: for development."""

    def format(self, record: logging.LogRecord) -> str:
        when = datetime.fromtimestamp(record.created, UTC).astimezone().strftime("%H:%M:%S.%f")[:-3]
        parts = [when, record.levelname, masked(record.getMessage()), *_of_a_request(record)]
        line = " ".join(_on_one_line(part) for part in parts)
        if not record.exc_info:
            return line
        stack = masked(self.formatException(record.exc_info)).splitlines()
        return "\n".join([line, *(f"    {_on_one_line(each)}" for each in stack)])


class Impatient(logging.StreamHandler):  # type: ignore[type-arg]
    """Leaves a line out rather than wait for somebody to read it."""

    def emit(self, record: logging.LogRecord) -> None:
        poll = select.poll()
        poll.register(self.stream, select.POLLOUT)
        if poll.poll(0):
            super().emit(record)


def configuration(settings: Settings, *, waits: bool = True) -> dict[str, Any]:
    """For ``logging.config.dictConfig``, and for gunicorn, whose own lines go the same way.

    *waits*: for whoever reads the log, when that is slower than what is written.
    """
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"request": {"()": RequestFields}},
        "formatters": {
            "json": {
                "()": Json,
                "json_serializer": partial(json.dumps, separators=(",", ":")),  # as orjson does
                "json_ensure_ascii": True,
                "static_fields": {
                    "service": "madang",
                    "env": settings.environment,
                    "version": version("madang"),
                },
            },
            "readable": {"()": Readable},
        },
        "handlers": {
            "stdout": {
                "()": logging.StreamHandler if waits else Impatient,
                "stream": "ext://sys.stdout",
                "formatter": "readable" if settings.debug else "json",
                "filters": ["request"],
            }
        },
        "root": {"level": settings.log_level, "handlers": ["stdout"]},
        "loggers": {
            # These write what a client sent into their lines.
            **{name: {"level": "ERROR"} for name in ("connexion", "sqlalchemy", "alembic")},
            # It would write on its own otherwise.
            "gunicorn.error": {"level": settings.log_level, "propagate": True},
        },
    }


def configure(settings: Settings) -> None:
    logging.config.dictConfig(configuration(settings))


def _without_secrets(value: Any) -> Any:
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, dict):
        return {_without_secrets(key): _without_secrets(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_secrets(each) for each in value]
    return value


def _of_a_request(record: logging.LogRecord) -> list[str]:
    """What a person wants to see of an access line; of all others, whose it is."""
    found = vars(record)
    if "duration_ms" not in found:
        return [f"[{found['request_id']}]"] if "request_id" in found else []
    told = [found["method"], found["route"] or "-", found["status"], found["code"] or ""]
    return [*map(str, told), f"{found['duration_ms']} ms", f"[{found['request_id']}]"]


def _on_one_line(text: str) -> str:
    return CONTROLS.sub(lambda found: ascii(found[0])[1:-1], text)
