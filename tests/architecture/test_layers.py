"""The import contracts of setup.cfg hold, and would be missed: each is broken once, on purpose."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

FORBIDDEN = {
    "a model asks the web": ("api/models/post.py", "import api.web.respond"),
    "infrastructure asks a model": ("api/infra/ids.py", "import api.models"),
    "the web asks a resource": ("api/web/respond.py", "import api.posts.service"),
    "a service asks its handlers": ("api/posts/service.py", "import api.posts.handlers"),
    "a query asks its service": ("api/users/queries.py", "import api.users.service"),
    "a service knows HTTP": ("api/posts/service.py", "import flask"),
    "a resource asks the application": ("api/auth/handlers.py", "import api.app"),
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "api", tmp_path / "api", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "setup.cfg", tmp_path)
    return tmp_path


def test_the_contracts_hold(project: Path) -> None:
    assert _lint(project) == 0


@pytest.mark.parametrize("case", FORBIDDEN)
def test_a_forbidden_import_is_seen(case: str, project: Path) -> None:
    module, statement = FORBIDDEN[case]
    with (project / module).open("a") as file:
        file.write(f"\n{statement}\n")

    assert _lint(project) == 1


def test_a_package_without_a_layer_is_seen(project: Path) -> None:
    (project / "api" / "elsewhere.py").write_text("")

    assert _lint(project) == 1


def _lint(project: Path) -> int:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"]
    arguments = ["--config", "setup.cfg", "--no-cache"]
    run = subprocess.run([*command, *arguments], cwd=project, capture_output=True, check=False)
    return run.returncode
