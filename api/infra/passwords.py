"""Passwords: argon2id as OWASP advises, exact input, common ones refused.

The list of common passwords is ``common_passwords.txt``; its head names source and licence.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from threading import Lock, Timer
from typing import ParamSpec, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from api.infra import memory
from api.infra.metrics import PASSWORD_HASHES

P = ParamSpec("P")
T = TypeVar("T")

LIST = Path(__file__).with_name("common_passwords.txt")
AT_ONCE = 2
"""Requests of a worker that may be busy with passwords: one hashes, the other asks what it has to."""
IDLE = 5.0
"""Seconds without a hash, after which the memory that they took is given back."""

_hasher = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)


class _Turns:
    """One hash after the other: each takes 19 MiB and a core for some 27 ms, and longer where two share a core.

    The memory is kept from one to the next, since the system would clear it anew, and given back when there is none.
    """

    def __init__(self) -> None:
        self._turn = Lock()
        self._used = 0.0
        self._timer: Timer | None = None

    def take(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        PASSWORD_HASHES.inc()
        with self._turn:
            try:
                return call(*args, **kwargs)
            finally:
                self._used = time.monotonic()
                if self._timer is None:
                    self._look_in(IDLE)

    def _look_in(self, seconds: float) -> None:
        self._timer = Timer(seconds, self._look)
        self._timer.daemon = True
        self._timer.start()

    def _look(self) -> None:
        with self._turn:
            left = self._used + IDLE - time.monotonic()
            if left > 0:
                self._look_in(left)
                return
            self._timer = None
            memory.give_back()


_turns = _Turns()


def hash_password(password: str) -> str:
    return _turns.take(_hasher.hash, password)


def verify(stored: str | None, password: str) -> bool:
    """Compare in one hash computation, also when there is no such person: the time tells nothing."""
    known = _nobody() if stored is None else stored
    try:
        _turns.take(_hasher.verify, known, password)
    except (VerificationError, InvalidHashError):
        return False
    return stored is not None


def is_outdated(stored: str) -> bool:
    return _hasher.check_needs_rehash(stored)


def is_common(password: str) -> bool:
    return password.lower() in _common()


@cache
def _nobody() -> str:
    return _hasher.hash(secrets.token_urlsafe())


@cache
def _common() -> frozenset[str]:
    lines = LIST.read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


def warm_up() -> None:
    """Compute the stand-in hash now, so that the first unknown name costs one hash like any other."""
    _nobody()
    _common()
