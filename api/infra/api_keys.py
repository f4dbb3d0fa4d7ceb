"""How an API key looks, and what is kept of it."""

from __future__ import annotations

import hashlib
import re
import secrets

PREFIX = "madang_"
"""By which those who search for leaked secrets know it."""
KEY = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}")
HINT = len(PREFIX) + 4
"""How many characters of it stay readable, so that people can tell one from another."""


def new() -> str:
    """256 random bits."""
    return PREFIX + secrets.token_urlsafe(32)


def digest(key: str) -> bytes:
    """Without salt or stretching: nobody guesses 256 bits."""
    return hashlib.sha256(key.encode()).digest()
