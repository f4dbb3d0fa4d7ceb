"""Makes docs/reliability.md of the figures that ``./scripts/prove`` gathered.

python -m tests.reliability FILE >docs/reliability.md
"""

from __future__ import annotations

import json
import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path

HEAD = """# Reliability: what was done to it, and what came of it

Written by `./scripts/prove`, which does it all again. The tests in `tests/faults` do the same at a smaller size
with every change, but for three times the peak of the service alone;
what each failure means to a caller stands in [operations](operations.md#when-something-fails).

Date: {date}. Machine: {machine}.

| what was done | what came of it |
|---|---|
"""


def main(file: Path) -> str:
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    system = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    machine = f"{os.cpu_count()} processors, {system}"
    rows = "".join(f"| {line['title']} | {line['figure']} |\n" for line in lines)
    return HEAD.format(date=datetime.now(UTC).date(), machine=machine) + rows


if __name__ == "__main__":
    sys.stdout.write(main(Path(sys.argv[1])))
