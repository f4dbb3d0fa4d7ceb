"""One JSON object a line on standard output, with the request it belongs to."""

from __future__ import annotations

import logging
import logging.config
from contextvars import ContextVar
from typing import Any

from api.config import Settings

request_fields: ContextVar[dict[str, Any]] = ContextVar("request_fields", default={})  # noqa: B039
"""What every line written during a request carries; set by the outermost layer, never mutated."""


class _RequestFields(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        for name, value in request_fields.get().items():
            setattr(record, name, value)
        return True


def configure(settings: Settings) -> None:
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "filters": {"request": {"()": _RequestFields}},
            "formatters": {
                "json": {
                    "()": "pythonjsonlogger.json.JsonFormatter",
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
