"""What a worker is before its first request."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.live import ROOT

START = """
import json, os, sys
import psutil
import wsgi

print(json.dumps([psutil.Process().memory_info().rss / 2**20, sorted(sys.modules)]))
"""


def test_it_holds_what_requests_need(environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", START],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        check=True,
    )
    megabytes, modules = json.loads(done.stdout)

    # Each schema that was compiled with the whole contract beside it made it 240.
    assert megabytes < 180
    # What commands need, and tests.
    assert not {"alembic", "flask_migrate", "tests", "pytest"} & set(modules)
