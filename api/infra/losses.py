"""Whether anybody on this host has lost Redis, in memory that worker processes share.

They do when this module is imported before they are forked (see scripts/gunicorn.conf.py).
"""

from __future__ import annotations

import mmap
import secrets

SIZE = 8
_memory = mmap.mmap(-1, SIZE)


def word() -> bytes:
    """Another one after each loss."""
    return _memory[:SIZE]


def note() -> None:
    """Random, not counted: two who count at once might come to the same number."""
    _memory[:SIZE] = secrets.token_bytes(SIZE)
