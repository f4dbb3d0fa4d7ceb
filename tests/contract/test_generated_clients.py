"""Clients that tools make out of the contract are typed, and speak with the service."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from tests import system
from tests.contract.visitor import SECTIONS, Visitor

[MAKE] = SECTIONS["Clients"]
TYPESCRIPT, PYTHON = MAKE.splitlines()
BARE_MYPY = "mypy --config-file= --strict --follow-imports=silent"
"""What is generated has its own faults, such as a variable that changes its type; only who uses it is held strictly."""
STRICT_TSC = "tsc --strict --module nodenext --target es2022 --lib es2022,dom,dom.iterable"
pytestmark = pytest.mark.slow


def succeed(visitor: Visitor, commands: str) -> str:
    run = visitor.run(commands)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def bring(visitor: Visitor, name: str) -> None:
    shutil.copy(system.TOOLS / name, visitor.home / "tmp" / name)


def assert_tour(output: str, username: str) -> None:
    """Everything that was sent came back through the client's types."""
    said = json.loads(output)
    assert said["account"]["username"] == username
    assert said["post"]["author"] == said["comment"]["author"]
    assert said["post"]["author"]["id"] == said["account"]["id"]
    assert said["comment"]["post_id"] == said["post"]["id"]
    assert (said["post"]["title"], said["post"]["is_published"]) == ("마당에 핀 꽃", True)
    assert said["code"] == "EMAIL_TAKEN"


def test_the_models_of_the_python_client_have_names(visitor: Visitor) -> None:
    """Objects without one are called after their place: ErrorError, CommenterType0."""
    succeed(visitor, PYTHON)
    models = {each.stem for each in visitor.home.glob("tmp/madang_client/models/*.py")}

    assert {"account_answer", "comment", "commenter", "failure", "sign_up_body"} <= models
    unnamed = re.compile(r"_type_\d|_(data|item)(_|$)|(?P<twice>\w+)_(?P=twice)$")
    found = {name for name in models if unnamed.search(name)}
    assert {name for name in found if not name.startswith("open_api_document")} == set()


def test_a_typescript_client_makes_the_tour(visitor: Visitor) -> None:
    modules = system.require_node_tools().parent
    (visitor.home / "tmp/node_modules").symlink_to(modules)
    bring(visitor, "tour.mts")

    succeed(visitor, f"{TYPESCRIPT}\ncd tmp\n{STRICT_TSC} tour.mts")
    output = succeed(visitor, f"node tmp/tour.mjs {visitor.server.url}/api/v1 tess")

    assert_tour(output, "tess")


def test_a_python_client_makes_the_tour(visitor: Visitor) -> None:
    bring(visitor, "tour.py")

    succeed(visitor, f"{PYTHON}\ncd tmp\n{BARE_MYPY} tour.py")
    output = succeed(visitor, f"python tmp/tour.py {visitor.server.url}/api/v1 pia")

    assert_tour(output, "pia")


@pytest.mark.parametrize(
    "edit", [("post.data.id", "post.data.ident"), ("title=", "heading=")], ids=lambda edit: edit[1]
)
def test_the_python_client_has_types_that_hold(visitor: Visitor, edit: tuple[str, str]) -> None:
    bring(visitor, "tour.py")
    tour: Path = visitor.home / "tmp/tour.py"
    tour.write_text(tour.read_text("utf-8").replace(*edit), "utf-8")

    run = visitor.run(f"{PYTHON}\ncd tmp\n{BARE_MYPY} tour.py")

    assert run.returncode == 1
    assert "tour.py" in run.stdout
