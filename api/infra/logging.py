"""One JSON object a line on standard output, with the request it belongs to."""

from __future__ import annotations

import logging
import logging.config
import traceback
from contextvars import ContextVar
from types import TracebackType
from typing import Any

from pythonjsonlogger.json import JsonFormatter

from api.config import Settings

request_fields: ContextVar[dict[str, Any]] = ContextVar("request_fields", default={})  # noqa: B039
"""What every line written during a request carries; set by the outermost layer, never mutated."""


class _RequestFields(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        for name, value in request_fields.get().items():
            setattr(record, name, value)
        return True


class Discreet(JsonFormatter):
    """Tells types and places of exceptions, not their texts: those repeat what a client sent, or
    what a row holds (PostgreSQL's "Key (email)=(...) already exists")."""

    def formatException(  # noqa: N802 - the name is logging's
        self,
        ei: tuple[type[BaseException], BaseException, TracebackType | None]
        | tuple[None, None, None],
    ) -> str:
        parts: list[str] = []
        seen, err = set(), ei[1]
        while err is not None and id(err) not in seen:  # an error may be its own cause
            seen.add(id(err))
            name = f"{type(err).__module__}.{type(err).__qualname__}"
            parts.append("".join(traceback.format_tb(err.__traceback__)) + name)
            err = err.__cause__ or (None if err.__suppress_context__ else err.__context__)
        return "\n\nled to\n\n".join(reversed(parts))


def configure(settings: Settings) -> None:
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "filters": {"request": {"()": _RequestFields}},
            "formatters": {
                "json": {
                    "()": JsonFormatter if settings.debug else Discreet,
                    "fmt": "%(levelname)s %(name)s %(message)s",
                    "rename_fields": {"levelname": "level", "name": "logger"},
                    "timestamp": True,
                    "json_ensure_ascii": True,  # no line or terminal can be broken from inside
                    "static_fields": {"service": "madang", "env": settings.environment},
                }
            },
            "handlers": {
                "stdout": {
                    "class": "logging.StreamHandler",
                    "stream": "ext://sys.stdout",
                    "formatter": "json",
                    "filters": ["request"],
                }
            },
            "root": {"level": settings.log_level, "handlers": ["stdout"]},
            # These write what a client sent into their lines.
            "loggers": {
                name: {"level": "ERROR"} for name in ("connexion", "sqlalchemy", "alembic")
            },
        }
    )
