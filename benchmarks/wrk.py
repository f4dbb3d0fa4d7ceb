"""wrk, which makes the requests: found or installed, run, and its figures read."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from scripts.home import Refused

SCRIPTS = Path(__file__).with_name("lua")
TIMEOUT = 10
"""Seconds after which an answer counts as failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one run gave; times in milliseconds."""

    requests: int
    errors: int
    rate: float
    p50: float
    p99: float


def install() -> None:
    """As root on Debian or Ubuntu. Raises ``Refused`` where there is no wrk afterwards."""
    if not shutil.which("wrk") and not os.geteuid() and shutil.which("apt-get"):
        print("Installing wrk", file=sys.stderr)
        if not _apt_get("install", "wrk"):
            _apt_get("update")
            _apt_get("install", "wrk")
    if not shutil.which("wrk"):
        raise Refused("wrk is missing: install it (on Debian and Ubuntu the package wrk)")


def version() -> str:
    """It prints its version as an error."""
    said = subprocess.run(["wrk", "-v"], capture_output=True, text=True, check=False)
    return (said.stdout + said.stderr).split()[1]


def run(script: str, arguments: list[str], url: str, connections: int, seconds: int) -> Measured:
    """Send as many requests as are answered, one at a time on each connection."""
    # A walk remembers where it is, which a script can for one connection alone.
    threads = connections if script == "walk.lua" else 1
    numbers = [f"-t{threads}", f"-c{connections}", f"-d{seconds}s", f"--timeout={TIMEOUT}s"]
    command = ["wrk", *numbers, "-s", script, url, "--", *arguments]
    done = subprocess.run(command, cwd=SCRIPTS, capture_output=True, text=True, check=False)
    figures = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not figures:
        raise Refused(f"wrk failed: {done.stderr.strip() or done.stdout.strip()}")
    return Measured(**json.loads(figures[-1]))


def _apt_get(action: str, *packages: str) -> bool:
    done = subprocess.run(
        ["apt-get", "-qq", action, "--yes", "--no-install-recommends", *packages],
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return not done.returncode
