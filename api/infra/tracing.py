"""Traces of requests, statements and Redis calls, sent by OTLP/HTTP. Off, OpenTelemetry is not even imported.

Spans wait in a bounded queue for a thread that sends them, so a collector that is gone or hangs costs spans only.
"""

from __future__ import annotations

import atexit
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.trace import Span as OtelSpan
    from sqlalchemy import Engine

    from api.config import Settings

TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")
"""Version 00 of W3C Trace Context, 3.2.2: ids of nothing but zeros do not count."""


@dataclass(frozen=True, slots=True)
class Span:
    """What a request does here, as part of a trace that its caller may have begun."""

    trace_id: str
    """32 hexadecimal digits."""
    span_id: str
    """16 hexadecimal digits."""
    recorded: OtelSpan | None = None
    """None when nobody will see this one."""

    @property
    def traceparent(self) -> str:
        """W3C Trace Context, 3.2."""
        return f"00-{self.trace_id}-{self.span_id}-{self.recorded is not None:02x}"

    def end(self, name: str, attributes: dict[str, str | int]) -> None:
        """With the attribute ``error.type`` it is one that failed."""
        if self.recorded is None:
            return
        from opentelemetry.trace import StatusCode

        self.recorded.update_name(name)
        self.recorded.set_attributes(attributes)
        if "error.type" in attributes:
            self.recorded.set_status(StatusCode.ERROR)
        self.recorded.end()


def _untraced(traceparent: str) -> Span:
    """Ids that nobody guesses are not needed, and the kernel is not asked for any (as in OpenTelemetry's own)."""
    bits = random.getrandbits(192) | _ONES  # nosec B311
    ids = f"{bits:048x}"
    parent = TRACEPARENT.fullmatch(traceparent) if traceparent else None
    return Span(parent[1] if parent else ids[:32], ids[32:])


_ONES = 1 << 64 | 1
"""One bit of each id: nothing but zeros would be none."""


_begin: Callable[[str], Span] = _untraced


def begin(traceparent: str) -> Span:
    """The span of a request, by what its header says; all that follows in its context is part of it."""
    return _begin(traceparent)


def start(settings: Settings, engine: Engine) -> None:
    """Trace from now on, if the settings name a collector. Call it after a fork: it starts a thread."""
    global _begin  # noqa: PLW0603 - a process traces or it does not
    if settings.otel_exporter_otlp_endpoint:
        from api.infra import otel

        _begin = otel.start(settings, engine)
        atexit.register(otel.stop)
