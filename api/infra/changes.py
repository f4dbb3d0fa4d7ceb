"""What changed on this host, in memory that worker processes share: random words that are replaced.

Each group of kept answers has one, and there is one for having lost Redis, after which nothing that was kept is
believed. A mark that was taken before a question was asked tells afterwards whether the answer still stands, at the
cost of comparing a few bytes. The processes share the memory when this module is imported before they are forked
(see scripts/gunicorn.conf.py).
"""

from __future__ import annotations

import mmap
import secrets
from dataclasses import dataclass
from zlib import crc32

SIZE = 8
GROUPS = 256
"""Groups that share a word are dropped together, which costs a reading and no truth."""
_LOSSES = slice(0, SIZE)
_memory = mmap.mmap(-1, SIZE * (1 + GROUPS))


@dataclass(frozen=True, slots=True)
class Mark:
    """How everything stood at one moment."""

    words: bytes

    def stands(self, group: str) -> bool:
        """Whether since then nobody of this host has changed the group, or lost sight of what others did."""
        place = _place(group)
        return self.words[_LOSSES] == _memory[_LOSSES] and self.words[place] == _memory[place]


def word(group: str) -> bytes:
    """Another one after each change of the group."""
    return _memory[_place(group)]


def mark() -> Mark:
    return Mark(_memory[:])


def note(group: str) -> None:
    """It was changed."""
    _replace(_place(group))


def losses() -> bytes:
    """Another word after each loss of Redis."""
    return _memory[_LOSSES]


def lose() -> None:
    _replace(_LOSSES)


def _replace(place: slice) -> None:
    """Random, not counted: two who count at once might come to the same number."""
    _memory[place] = secrets.token_bytes(SIZE)


def _place(group: str) -> slice:
    first = SIZE * (1 + crc32(group.encode()) % GROUPS)
    return slice(first, first + SIZE)
