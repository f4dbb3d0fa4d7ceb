"""What the C library does with memory that is free: glibc keeps it, and by default for each thread on its own."""

from __future__ import annotations

import ctypes
from typing import Any

# Of mallopt(3).
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
LARGEST = 32 * 1024 * 1024
KEPT = 64 * 1024 * 1024
"""Bytes."""


def share() -> None:
    """Let all threads use what one of them has freed, which is kept. To be called before there are many threads."""
    _call("mallopt", M_ARENA_MAX, 1)
    _call("mallopt", M_MMAP_THRESHOLD, LARGEST)
    _call("mallopt", M_TRIM_THRESHOLD, KEPT)


def give_back() -> None:
    """To the system, whatever is free. Takes some milliseconds, in which other threads run."""
    _call("malloc_trim", 0)


def _call(name: str, *arguments: int) -> None:
    """Other C libraries have no such function, and need none."""
    function: Any = getattr(ctypes.CDLL(None), name, None)
    if function is not None:
        function(*arguments)
