"""P2: what is installed is what was locked."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.live import ROOT
from tests.scripts.checkout import copy_checkout

EXCHANGED = "markupsafe"


def locked(lock: str, name: str) -> str:
    [entry] = re.findall(rf"^{name}==.*(?:\n    .*)*", lock, re.MULTILINE)
    return str(entry)


@pytest.mark.slow
@pytest.mark.parametrize("by", ["uv", "pip"])
def test_a_package_that_was_exchanged_is_refused(tmp_path: Path, by: str) -> None:
    """pip does it where the lock has no uv, and the machine has none."""
    checkout = copy_checkout(tmp_path / "yard")
    lock = (ROOT / "requirements-dev.lock").read_text(encoding="utf-8")
    exchanged = re.sub(r"sha256:[0-9a-f]{64}", f"sha256:{'0' * 64}", locked(lock, EXCHANGED))
    needed = [locked(lock, "uv"), exchanged] if by == "uv" else [exchanged]
    (checkout / "requirements-dev.lock").write_text("\n".join(needed), encoding="utf-8")
    for name in ("setup.cfg", "pyproject.toml"):
        (checkout / name).write_bytes((ROOT / name).read_bytes())

    done = subprocess.run(
        ["bash", "-c", "set -euo pipefail; . scripts/lib.sh; prepare; echo prepared"],
        cwd=checkout,
        env={name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert "prepared" not in done.stdout
    assert f"not the package that was locked: {EXCHANGED}==" in done.stderr
