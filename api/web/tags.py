"""The lists of entity tags in ``If-Match`` and ``If-None-Match`` (RFC 9110, 8.8.3 and 13.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable

TAG = re.compile(r'(?:W/)?"([!#-~\x80-\xff]*)"')
"""Proxies that compress make a tag weak, so ``W/`` in front does not matter; what is not in quotes is no tag."""


def names_any(headers: Iterable[str]) -> bool:
    return ", ".join(headers).strip() == "*"


def named(headers: Iterable[str]) -> frozenset[str]:
    """What stands between the quotes, however many lines the header has."""
    return frozenset(TAG.findall(", ".join(headers)))
