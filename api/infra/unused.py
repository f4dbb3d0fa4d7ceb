"""What libraries import at the start and nobody here ever uses is left out: it would take a tenth of a worker's memory.

Connexion brings clients for HTTP, with which it would fetch contracts and ask about tokens, and one for tests; redis-py
brings OpenTelemetry's metrics. docs/adr/0026 tells what that is worth.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

EMPTY = ("httpx", "requests", "starlette.testclient")
"""Imported whole, or for a name of which nothing is asked at the start."""
ABSENT = ("opentelemetry.sdk.metrics",)
"""Imported where it can be had."""


@contextmanager
def left_out() -> Iterator[None]:
    """While those libraries are imported. What is imported already stays, and may be imported afterwards."""
    stand_ins: dict[str, Any] = {name: _Empty(name) for name in EMPTY} | dict.fromkeys(ABSENT)
    mine = {name: module for name, module in stand_ins.items() if name not in sys.modules}
    sys.modules.update(mine)
    try:
        yield
    finally:
        for name in mine:
            sys.modules.pop(name, None)


class _Empty(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})
