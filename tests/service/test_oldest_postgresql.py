from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.size import size
from tests.system import require

ROOT = Path(__file__).resolve().parents[2]
ASKING = (
    "audit",
    "commands/test_clean_up.py",
    "commands/test_release.py",
    "contract/test_every_operation.py",
    "infra/test_db.py",
    "infra/test_db_errors.py",
    "infra/test_paging.py",
    "infra/test_statements.py",
    "posts",
    "users",
)
TESTS = size([f"tests/{name}" for name in ASKING], ["tests"])
"""Each operation, the migrations, and what asks in ways of its own; with PROOF=1 all of it."""


@pytest.mark.slow
def test_the_fast_tier_passes_on_postgresql_15(tmp_path: Path) -> None:
    """15 is the floor; the embedded servers take the place of the wheel's 18."""
    programs = require("postgresql-15")
    without_servers = {k: v for k, v in os.environ.items() if not k.startswith("TEST_")}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-m",
        "not slow",
        "-p",
        "no:cacheprovider",
        *TESTS,
    ]

    run = subprocess.run(
        command,
        cwd=ROOT,
        env=without_servers | {"MADANG_PG_BIN": str(programs)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stdout[-20_000:]
