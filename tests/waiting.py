"""Waiting for a condition, never for a time."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from typing import TypeVar

import httpx

PATIENCE = 30.0
"""Seconds a server may take to start or stop."""
T = TypeVar("T")


def until(condition: Callable[[], T], patience: float = PATIENCE, pause: float = 0.02) -> T:
    """Its first answer that is true; an ``AssertionError``, where there is none in time."""
    end = time.monotonic() + patience
    while not (found := condition()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(pause)
    return found


def until_it_answers(url: str, process: subprocess.Popen[bytes]) -> None:
    """Once *process* answers there with success; an ``AssertionError``, where it ends before."""

    def answers() -> bool:
        assert process.poll() is None, "it ended"
        try:
            return httpx.get(url, timeout=2).is_success
        except httpx.TransportError:
            return False

    until(answers)
