"""Schemathesis, all its checks, against the service as it is deployed, by the commands of the page.

With PROOF=1 it takes 300 examples with five seeds; SCHEMATHESIS_EXAMPLES and SCHEMATHESIS_SEEDS say otherwise.
"""

from __future__ import annotations

import os
import re

import pytest

from tests.contract.visitor import SECTIONS, Visitor
from tests.size import size

EXAMPLES = os.environ.get("SCHEMATHESIS_EXAMPLES") or size("25", "300")
SEEDS = range(1, int(os.environ.get("SCHEMATHESIS_SEEDS") or size(1, 5)) + 1)
FOLLOWED = 5
"""Links of the contract that it walks along at least; which ones is up to the seed."""
[RUNS] = (block.splitlines() for block in SECTIONS["schemathesis"])
API, SERVICE = RUNS


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_api_operations(seed: int, visitor: Visitor) -> None:
    report = _run(visitor, API, seed)

    generated, passed = map(int, re.findall(r"(\d+) generated, (\d+) passed", report)[0])
    assert passed == generated > 1000, report
    [links] = re.findall(r"API Links: +(\d+) covered", report)
    assert int(links) >= FOLLOWED, report
    assert [line for line in visitor.server.lines() if line.get("status", 0) >= 500] == []


@pytest.mark.slow
def test_service_operations(visitor: Visitor) -> None:
    """No link begins or ends at one of these operations, so the page walks along none."""
    _run(visitor, SERVICE, seed=1)


def _run(visitor: Visitor, command: str, seed: int) -> str:
    run = visitor.run(f"{command} --continue-on-failure --max-examples {EXAMPLES} --seed {seed}")
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout
