"""No pattern of the contract takes long, whatever it is held against (ReDoS)."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema_rs import Draft4Validator

from api.infra.tracing import TRACEPARENT
from api.web.asgi.entry import REQUEST_ID
from api.web.validation import INTEGER, PRINTABLE_NAME
from tests.spec import CONTRACT

LENGTH = 50_000
BUDGET = 0.020
"""Seconds of CPU."""


def patterns(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("pattern"), str):
            yield node["pattern"]
        for child in node.values():
            yield from patterns(child)
    elif isinstance(node, list):
        for child in node:
            yield from patterns(child)


def attacks(pattern: str) -> Iterator[str]:
    """Long runs of each thing the pattern may repeat, ending in something it cannot take."""
    literals = set(re.sub(r"\\u[0-9a-f]{4}|[\\^$*+?(){}|\[\]]", "", pattern))
    for unit in literals | {
        "a",
        "0",
        " ",
        "\t",
        "마",
        "a-",
        "a.",
        "-.",
        "a@",
        'a"',
        "1.",
        "\u0001",
    }:
        run = unit * (LENGTH // len(unit))
        yield run
        for end in ("\0", "!", "\n", "@", "."):
            yield run + end
    yield "a@" + "a." * (LENGTH // 2)
    yield "a@" + "a-" * (LENGTH // 2) + "!"
    yield "a" * 64 + "@" + ("a" * 63 + ".") * (LENGTH // 64) + "!"
    yield " " * LENGTH + "x" + " " * LENGTH


ALL = sorted(set(patterns(CONTRACT.document)))


def test_there_are_patterns_to_try() -> None:
    assert len(ALL) > 10


@pytest.mark.parametrize("pattern", ALL)
def test_the_worst_50_kb_take_less_than_20_milliseconds(pattern: str) -> None:
    """By the validator that answers requests; a second try, since a page fault is no ReDoS."""
    validator = Draft4Validator({"type": "string", "pattern": pattern})

    slow = [
        attack[:20]
        for attack in attacks(pattern)
        if _seconds(validator, attack) > BUDGET and _seconds(validator, attack) > BUDGET
    ]

    assert slow == []


def _seconds(validator: Draft4Validator, text: str) -> float:
    started = time.process_time()
    validator.is_valid(text)
    return time.process_time() - started


def test_patterns_of_our_own_are_linear_too() -> None:

    for pattern in (REQUEST_ID, TRACEPARENT, INTEGER, PRINTABLE_NAME):
        for attack in attacks(pattern.pattern):
            started = time.process_time()
            pattern.fullmatch(attack)
            assert time.process_time() - started < BUDGET
