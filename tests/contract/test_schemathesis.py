"""Schemathesis, all its checks, against the service as it is deployed.

More of it:

    SCHEMATHESIS_EXAMPLES=300 SCHEMATHESIS_SEEDS=5 ./scripts/test -m slow tests/contract/test_schemathesis.py
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import live
from tests.people import People

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = os.environ.get("SCHEMATHESIS_EXAMPLES", "100")
SEEDS = range(1, int(os.environ.get("SCHEMATHESIS_SEEDS", "3")) + 1)
FOLLOWED = 5
"""Links of the contract that it walks along at least; which ones is up to the seed."""
HTTPS = "https://madang.test"
"""So that the refresh cookie has the name that the contract gives it."""


@pytest.fixture(scope="module")
def server(
    environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[live.Server]:
    settings = environment | {"PUBLIC_URL": HTTPS, "RATE_LIMIT_SCALE": "1000"}
    with live.serve(settings, tmp_path_factory.mktemp("schemathesis") / "log") as server:
        yield server


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_api_operations(seed: int, people: People, server: live.Server, tmp_path: Path) -> None:
    people("boss", role="admin")
    arguments = ["--origin", server.url, "--exclude-tag", "Service", "--seed", str(seed)]

    report = _run(arguments, server, tmp_path)

    generated, passed = map(int, re.findall(r"(\d+) generated, (\d+) passed", report)[0])
    assert passed == generated > 1000, report
    [links] = re.findall(r"API Links: +(\d+) covered", report)
    assert int(links) >= FOLLOWED, report
    assert not re.findall(r'"status": 5\d\d', server.log.read_text())


@pytest.mark.slow
@pytest.mark.usefixtures("app")
def test_service_operations(server: live.Server, tmp_path: Path) -> None:
    """With an address on the command line schemathesis ignores the paths' own servers."""
    phases = "examples,coverage,fuzzing"
    """No link begins or ends at one of these operations, so there is none to walk along."""
    selected = ["--include-tag", "Service", "--phases", phases]
    _run(["--url", server.url, "--seed", "1", *selected], server, tmp_path)


def _run(arguments: list[str], server: live.Server, tmp_path: Path) -> str:
    command = [
        *(sys.executable, "-m", "schemathesis.cli"),
        *("--config-file", str(ROOT / "tests" / "contract" / "schemathesis.toml")),
        *("run", str(ROOT / "openapi" / "bundle.yaml")),
        *("--checks", "all", "--continue-on-failure", "--max-examples", EXAMPLES, *arguments),
    ]
    environment = os.environ | {
        "MADANG_API": f"{server.url}/api/v1",
        "SCHEMATHESIS_HOOKS": "tests.contract.hooks",
        "PYTHONPATH": str(ROOT),
    }
    run = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout
