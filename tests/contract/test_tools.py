"""docs/testing-against-madang.md, its commands run as they stand there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests import live, system
from tests.contract.prism import PATIENCE
from tests.contract.test_schemathesis import RUNS
from tests.contract.visitor import PREPARE, SECTIONS, Visitor

PRISM = "http://localhost:4010"


def test_every_command_of_the_page_is_run_somewhere() -> None:
    assert SECTIONS.keys() == {"schemathesis", "Prism", "Dredd", "Postman", "Clients"}
    assert SECTIONS["schemathesis"] == ["\n".join(RUNS)]


def test_the_tools_are_installed_as_the_page_says() -> None:
    assert " ".join(system.NODE_TOOLS) in PREPARE.splitlines()


@pytest.mark.slow
def test_dredd(visitor: Visitor) -> None:
    system.require_node_tools()
    [commands] = SECTIONS["Dredd"]

    run = visitor.run(commands)

    assert run.returncode == 0, run.stdout
    [(passed, failed)] = re.findall(r"(\d+) passing, (\d+) failing, 0 errors", run.stdout)
    assert int(passed) > 150 and failed == "0"
    expected = {"200", "201", "204", "304", "401", "404", "406", "412", "415"}
    assert set(re.findall(r"^.*pass.*: \w+ \((\d+)\)", run.stdout, re.MULTILINE)) == expected


@pytest.mark.slow
def test_postman(visitor: Visitor) -> None:
    system.require_node_tools()
    [commands] = SECTIONS["Postman"]

    run = visitor.run(commands)

    assert run.returncode == 0, run.stdout
    collection = json.loads((visitor.home / "tmp/madang.postman.json").read_text("utf-8"))
    names = [each["name"] for folder in collection["item"] for each in folder["item"]]
    assert set(re.findall(r"^↳ (.+)$", run.stdout, re.MULTILINE)) == set(names)


@pytest.mark.slow
def test_prism(visitor: Visitor, tmp_path: Path) -> None:
    system.require_node_tools()
    proxy, calls = SECTIONS["Prism"]
    port = live.free_port()

    with visitor.meanwhile(proxy.replace("--port 4010", f"--port {port}"), tmp_path / "log"):
        live.wait_for_port(port, PATIENCE)
        run = visitor.run(calls.replace(PRISM, f"http://127.0.0.1:{port}"))

    assert run.returncode == 0, run.stderr
    assert re.findall(r"HTTP/1.1 (\d+)", run.stdout) == ["200", "200", "422"]
    assert "sl-violations" not in run.stdout.partition("422")[0].lower()
    assert '"code":"minimum"' in run.stdout
