"""What is left out of the processes that serve, and only there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from api.infra.unused import ABSENT, EMPTY

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import importlib, json, sys
import wsgi
served = [name for name in sys.argv[1:] if name in sys.modules]
for name in sys.argv[1:]:
    importlib.import_module(name)
print(json.dumps([served, sys.modules["starlette.testclient"].TestClient.__mro__[1].__name__]))
"""


def test_the_service_loads_without_them_and_they_can_be_had_afterwards(
    environment: dict[str, str],
) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM, *EMPTY, *ABSENT],
        env=environment | {"PATH": os.environ["PATH"]},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    assert json.loads(done.stdout.splitlines()[-1]) == [[], "Client"]
