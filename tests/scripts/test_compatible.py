"""scripts/compatible, on a repository whose newest commit breaks a promise to the release before."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from scripts.release_before import RESOURCES
from tests.live import ROOT
from tests.scripts.checkout import copy_checkout

RELEASED = ("tests", "setup.cfg", "pyproject.toml", "requirements-dev.lock")
"""What its tests need on top of the program."""
SETTINGS = ("user.name=a", "user.email=a@example.com", "commit.gpgsign=false", "tag.gpgsign=false")
MIGRATION = """
from alembic import op

revision, down_revision = "next", {before!r}


def upgrade():
    {step}
"""


def git(checkout: Path, *arguments: str) -> None:
    own = [word for each in SETTINGS for word in ("-c", each)]
    subprocess.run(["git", *own, *arguments], cwd=checkout, check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    checkout = copy_checkout(tmp_path / "yard")
    for name in RELEASED:
        if (ROOT / name).is_dir():
            shutil.copytree(
                ROOT / name,
                checkout / name,
                ignore=shutil.ignore_patterns("__pycache__", "node_modules"),
            )
        else:
            shutil.copy2(ROOT / name, checkout / name)
    git(checkout, "init", "--quiet")
    commit(checkout)
    return checkout


def commit(checkout: Path) -> None:
    git(checkout, "add", "--all")
    git(checkout, "commit", "--quiet", "--message=work", "--no-verify")


def compatible(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """With the packages of this tree; the release before installs its own."""
    return subprocess.run(
        [sys.executable, "-m", "scripts.release_before", *arguments],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout)},
        capture_output=True,
        text=True,
        check=False,
    )


class TestWhichOne:
    def test_none_was_made_before(self, checkout: Path) -> None:
        git(checkout, "tag", "v0.0.1")

        told = compatible(checkout)

        assert (told.returncode, told.stdout) == (
            0,
            "No release was made before this commit, by the tags that are here.\n",
        )

    def test_the_newest_before_this_commit_by_number(self, checkout: Path) -> None:
        for tag in ("v0.9.0", "v0.10.0-rc1", "v0.10.0", "v0"):
            stub(checkout, tag)
        commit_of_a_migration(checkout, "pass")
        git(checkout, "tag", "v0.11.0")

        told = compatible(checkout)

        assert told.returncode == 0, told.stderr
        assert "v0.10.0 was asked for tests/admin tests/audit" in told.stdout

    def test_it_has_a_folder_less_than_this_tree(self, checkout: Path) -> None:
        shutil.rmtree(checkout / "tests" / "audit")
        stub(checkout, "v0.0.1")
        commit_of_a_migration(checkout, "pass")

        told = compatible(checkout)

        assert "v0.0.1 was asked for tests/admin tests/auth" in told.stdout, told.stderr

    def test_history_is_missing(self, checkout: Path, tmp_path: Path) -> None:
        commit_of_a_migration(checkout, "pass")
        git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{checkout}", "shallow")

        told = compatible(tmp_path / "shallow")

        assert told.returncode == 1
        assert told.stderr == "This clone has no history: git fetch --unshallow --tags\n"

    @pytest.mark.parametrize("tag", ["v9.9.9", "tests/posts", "--output=x", "-x"])
    def test_a_tag_that_is_none(self, checkout: Path, tag: str) -> None:
        told = compatible(checkout, tag)

        assert told.returncode == 1
        assert told.stderr.startswith("git: ")
        assert "Traceback" not in told.stderr


@pytest.mark.slow
def test_a_schema_that_it_cannot_live_with(checkout: Path) -> None:
    git(checkout, "tag", "v0.0.1")
    commit_of_a_migration(checkout, 'op.alter_column("comments", "body", new_column_name="words")')

    told = compatible(
        checkout,
        "v0.0.1",
        "-q",
        "tests/posts/test_handlers.py",
        "tests/comments/test_handlers.py",
        "-k",
        "TestCreatePost or TestCreateComment",
    )

    assert told.returncode == 1, told.stderr
    assert "The tests of v0.0.1" in told.stdout
    assert re.search(r"\d+ failed, \d+ passed", told.stdout), told.stdout[-5000:]
    failed = set(re.findall(r"^FAILED (tests/\w+)", told.stdout, re.MULTILINE))
    assert failed == {"tests/comments"}


def test_every_resource_is_among_those_that_are_tested() -> None:
    """O4: a new one has a line in RESOURCES."""
    assert {each.parent.name for each in ROOT.glob("api/*/handlers.py")} <= set(RESOURCES)


def stub(checkout: Path, tag: str) -> None:
    """A release whose tests tell what they were asked for."""
    (checkout / "scripts" / "test").write_text(f"#!/bin/sh\necho {tag} was asked for $*\n")
    commit(checkout)
    git(checkout, "tag", tag)


def commit_of_a_migration(checkout: Path, step: str) -> None:
    versions = checkout / "migrations" / "versions"
    [before] = ScriptDirectory(str(checkout / "migrations")).get_heads()
    (versions / "next.py").write_text(MIGRATION.format(before=before, step=step), encoding="utf-8")
    commit(checkout)
