"""P2: what is installed is what was locked, and for the fastest Python that there is."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from shlex import quote

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


def interpreter(
    folder: Path, name: str, *, configured_with: str, installed_in: str = "/opt"
) -> Path:
    """This Python by that name, which says that it was configured and installed so."""
    folder.mkdir(exist_ok=True)
    told = f"import sys, sysconfig\nsys.base_prefix = '{installed_in}'\n"
    told += f"sysconfig.get_config_vars()['CONFIG_ARGS'] = '{configured_with}'\n"
    site = folder / f"{name}-site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(told)
    made = folder / name
    made.write_text(f'#!/bin/sh\nPYTHONPATH={quote(str(site))} exec {quote(sys.executable)} "$@"\n')
    made.chmod(0o755)
    return made


def found_by(*folders: Path, **settings: str) -> str:
    """Where the machine has no other Python than those."""
    for needed in ("awk", "dirname"):
        (folders[-1] / needed).symlink_to(shutil.which(needed) or "")
    uv = folders[-1] / "uv"  # in place of ensurepip, which this Python may lack
    uv.write_text("#!/bin/sh\n")
    uv.chmod(0o755)
    done = subprocess.run(
        [shutil.which("bash") or "", "-c", "set -euo pipefail; . scripts/lib.sh; find_python"],
        cwd=ROOT,
        env={"PATH": os.pathsep.join(map(str, folders)), **settings},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


OPTIMIZED = "--prefix=/opt --enable-optimizations"


def test_of_several_pythons_the_newest_that_is_compiled_for_speed_is_taken(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    interpreter(first, "python3.13", configured_with="--prefix=/opt")
    fast = interpreter(second, "python3.13", configured_with=OPTIMIZED)
    interpreter(first, "python3.12", configured_with=OPTIMIZED)

    assert found_by(first, second) == str(fast)


def test_a_distribution_optimizes_its_own(tmp_path: Path) -> None:
    interpreter(tmp_path, "python3.13", configured_with="--prefix=/opt")
    own = interpreter(tmp_path, "python3.11", configured_with="", installed_in="/usr")

    assert found_by(tmp_path) == str(own)


def test_the_environment_that_is_made_anew_is_not_made_of_itself(tmp_path: Path) -> None:
    other = interpreter(tmp_path, "python3", configured_with="")

    assert found_by(ROOT / ".venv" / "bin", tmp_path) == str(other)


def test_a_python_that_is_named_is_taken_however_it_is_compiled(tmp_path: Path) -> None:
    interpreter(tmp_path, "python3.13", configured_with=OPTIMIZED)
    slow = interpreter(tmp_path, "slow", configured_with="")

    assert found_by(tmp_path, MADANG_PYTHON=str(slow)) == str(slow)


def test_a_python_that_is_not_compiled_for_speed_is_better_than_none(tmp_path: Path) -> None:
    slow = interpreter(tmp_path, "python3.12", configured_with="--prefix=/opt")

    assert found_by(tmp_path) == str(slow)
