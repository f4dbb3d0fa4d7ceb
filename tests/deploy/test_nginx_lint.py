"""The deployed configuration has none of the known mistakes, and a known one would be found."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests import nginx

GIXY = Path(sys.executable).with_name("gixy")


@pytest.mark.parametrize("site", ["http", "https"])
def test_nothing_is_found(site: str, tmp_path: Path) -> None:
    found = lint(nginx.configure(tmp_path, site, ("http://127.0.0.1:1",), {}))

    assert found.returncode == 0, found.stdout


def test_a_path_out_of_its_folder_would_be(tmp_path: Path) -> None:
    configuration = nginx.configure(tmp_path, "http", ("http://127.0.0.1:1",), {})
    site = tmp_path / "sites" / "site.conf"
    wrong = "location /files { alias /srv/files/; }\n    location / {"
    site.write_text(site.read_text().replace("location / {", wrong))

    assert "alias_traversal" in lint(configuration).stdout


def lint(configuration: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [GIXY, "--format", "json", configuration], capture_output=True, text=True, check=False
    )
