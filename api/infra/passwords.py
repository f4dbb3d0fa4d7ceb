"""Passwords: argon2id as OWASP advises, exact input, common ones refused.

The list of common passwords is ``common_passwords.txt``; its head names source and licence.
"""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from api.infra.metrics import PASSWORD_HASHES

LIST = Path(__file__).with_name("common_passwords.txt")
AT_ONCE = 4
"""Hashes a worker computes at the same time: each takes 19 MiB and a core for some 27 ms."""

_hasher = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
_threads = ThreadPoolExecutor(AT_ONCE, "passwords")
"""Of their own, since malloc keeps those 19 MiB for each thread that has ever computed a hash."""


def hash_password(password: str) -> str:
    PASSWORD_HASHES.inc()
    return _threads.submit(_hasher.hash, password).result()


def verify(stored: str | None, password: str) -> bool:
    """Compare in one hash computation, also when there is no such person: the time tells nothing."""
    PASSWORD_HASHES.inc()
    known = _nobody() if stored is None else stored
    try:
        _threads.submit(_hasher.verify, known, password).result()
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
