"""Runs the tests of an earlier release on the schema of this one; see docs/database.md, "Expand, then contract"."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from scripts.embedded import scratch_home, servers
from scripts.home import ROOT, Refused
from scripts.service import command

RESOURCES = ("admin", "audit", "auth", "comments", "keys", "limits", "posts", "users")
"""The folders of tests that ask the service and look at its database. None of them asks of what revision that is."""
VERSION = "v[0-9]*.[0-9]*.[0-9]*"
NEEDED = ("PATH", "PYTHONPATH")
"""Of the environment, for a command of ours: settings of another service are not for it."""
NOT_FOR_THEM = ("COV", "GIT_", "PROOF", "PYTEST", "PYTHON", "ROLLING_", "TEST_")
"""How variables begin that tell tests, or Python, what to do in this tree."""


def main() -> int:
    try:
        tag, *arguments = sys.argv[1:] or [_newest()]
        if not tag:
            print("No release was made before this commit, by the tags that are here.")
            return 0
        return _test(tag, arguments)
    except Refused as refusal:
        print(refusal, file=sys.stderr)
        return 1


def _newest() -> str:
    """The tag of it; empty where there is none. Raises ``Refused`` without the history to know it."""
    if _git("rev-parse", "--is-shallow-repository") == "true":
        raise Refused("This clone has no history: git fetch --unshallow --tags")
    # A candidate of a release comes before it.
    older = ("--merged=HEAD", "--no-contains=HEAD", "--sort=-version:refname", "--no-column")
    found = _git("-c", "versionsort.suffix=-", "tag", *older, "--list", VERSION)
    return found.partition("\n")[0]


def _test(tag: str, arguments: list[str]) -> int:
    """The exit status of its tests; without *arguments* for pytest those of what it has of the resources."""
    with ExitStack() as stack:
        home = stack.enter_context(scratch_home())
        release = _unpacked(tag, home / "release")
        stores = _newer_stores(stack, home)
        given = {n: v for n, v in os.environ.items() if not n.startswith(NOT_FOR_THEM)}
        theirs = given | {f"TEST_{name}": value for name, value in stores.items()}
        folders = [each for each in RESOURCES if (release / "tests" / each).is_dir()]
        print(f"The tests of {tag}, on the schema of this tree:", flush=True)
        line: list[str | Path] = [release / "scripts" / "test"]
        line += arguments or [f"tests/{each}" for each in folders]
        done = subprocess.run(line, cwd=release, env=theirs | {"TEST_SCHEMA": "newer"}, check=False)
        return done.returncode


def _newer_stores(stack: ExitStack, home: Path) -> dict[str, str]:
    """Servers with the schema of this tree, until the end of *stack*."""
    running = stack.enter_context(servers(home, fast=True))
    stores = {"DATABASE_URL": running.database_url, "REDIS_URL": running.redis_url}
    settings = {"ENVIRONMENT": "test", "JWT_SECRET_KEY": secrets.token_hex(32), **stores}
    command("release", {n: v for n, v in os.environ.items() if n in NEEDED} | settings)
    return stores


def _unpacked(tag: str, folder: Path) -> Path:
    """What git has of it: no checkout of this repository is touched."""
    commit = _git("rev-parse", "--verify", "--end-of-options", f"{tag}^{{commit}}")
    archive = folder.with_suffix(".tar")
    _git("archive", f"--output={archive}", commit)
    folder.mkdir()
    _run("tar", "-xf", str(archive), "-C", str(folder))
    return folder


def _git(*arguments: str) -> str:
    return _run("git", *arguments)


def _run(*line: str) -> str:
    """What it says. Raises ``Refused`` where it is missing, or fails."""
    try:
        done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)
    except OSError as fault:
        raise Refused(f"{line[0]}: {fault.strerror}") from fault
    if done.returncode:
        raise Refused(f"{line[0]}: {done.stderr.strip()}")
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
