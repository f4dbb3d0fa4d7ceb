"""Workflows use what is pinned, may do little, and do what the documents say; that they run is GitHub's to show."""

from __future__ import annotations

import json
import re
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.live import ROOT

FILES = sorted((ROOT / ".github/workflows").glob("*.yml"))
RULESET = json.loads((ROOT / ".github/rulesets/main.json").read_text(encoding="utf-8"))
every_file = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)


def workflow(file: Path) -> dict[Any, Any]:
    # YAML 1.1 reads the key "on" as true.
    found: dict[Any, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return found


def names() -> set[str]:
    """Of checks, as GitHub shows them."""
    found = set()
    for file in FILES:
        for name, job in workflow(file)["jobs"].items():
            matrix = job.get("strategy", {}).get("matrix", {})
            values = [value for value in matrix.values() if isinstance(value, list)]
            plain = [value for value in values if all(isinstance(each, str) for each in value)]
            found |= {f"{name} ({each})" for each in plain[0]} if plain else {name}
    return found


@every_file
def test_actions_are_pinned_by_commit_with_their_version(file: Path) -> None:
    used = re.findall(r"uses: *(.+)", file.read_text(encoding="utf-8"))

    pinned = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
    assert [each for each in used if not pinned.fullmatch(each)] == []


@every_file
def test_jobs_may_do_what_they_say_and_no_more(file: Path) -> None:
    found = workflow(file)

    assert found["permissions"] == {}
    assert "pull_request_target" not in found[True]
    assert all("timeout-minutes" in job for job in found["jobs"].values())
    writes = {
        (name, key)
        for name, job in found["jobs"].items()
        for key, right in job.get("permissions", {}).items()
        if right == "write"
    }
    assert writes <= {
        ("image", "packages"),
        ("release", "contents"),
        ("codeql", "security-events"),
    }


@every_file
def test_scripts_that_are_run_exist(file: Path) -> None:
    for script in re.findall(r"\./scripts/\w+", file.read_text(encoding="utf-8")):
        assert (ROOT / script).is_file()


@every_file
def test_a_tag_without_a_signature_publishes_nothing(file: Path) -> None:
    for job in workflow(file)["jobs"].values():
        steps = job.get("steps", [])
        pushes = [at for at, step in enumerate(steps) if "docker push" in step.get("run", "")]
        checks = [at for at, step in enumerate(steps) if ".verified" in step.get("run", "")]
        assert not pushes or (checks and checks[0] < pushes[0])
        for at in checks:
            assert steps[at]["if"] == "github.ref_type == 'tag'"
            assert "continue-on-error" not in steps[at]


def test_a_release_waits_for_the_image_and_so_for_the_signature() -> None:
    jobs = workflow(ROOT / ".github/workflows/image.yml")["jobs"]

    assert jobs["release"]["needs"] == ["image"]
    assert any(".verified" in step.get("run", "") for step in jobs["image"]["steps"])


def test_the_ruleset_waits_for_checks_that_exist() -> None:
    [rule] = [rule for rule in RULESET["rules"] if rule["type"] == "required_status_checks"]
    wanted = {check["context"] for check in rule["parameters"]["required_status_checks"]}

    assert wanted <= names()
    assert "passed" in wanted


def test_what_has_to_pass_is_all_of_it() -> None:
    jobs = workflow(ROOT / ".github/workflows/ci.yml")["jobs"]

    last = jobs["passed"]
    assert {*last["needs"]} == jobs.keys() - {"passed"}
    assert last["steps"][0]["run"].count("success") == len(last["needs"])


def test_every_promised_version_is_tried() -> None:
    jobs = workflow(ROOT / ".github/workflows/ci.yml")["jobs"]
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")

    pythons = jobs["python"]["strategy"]["matrix"]["python"]
    servers = jobs["servers"]["strategy"]["matrix"]["include"]
    assert setup["options"]["python_requires"] == f">={pythons[0]}"
    assert pythons == ["3.11", "3.12", "3.13"]
    assert [each["postgres"] for each in servers] == ["15", "16", "17", "18"]
    assert {each["redis"].partition(":")[0] for each in servers} == {"redis", "valkey/valkey"}


def test_a_tool_that_runs_alone_has_the_locked_version() -> None:
    locked = (ROOT / "requirements-dev.lock").read_text(encoding="utf-8")
    text = (ROOT / ".github/workflows/security.yml").read_text(encoding="utf-8")

    for name in ("zizmor", "check-jsonschema"):
        [version] = re.findall(rf"pipx run {name}==(\S+)", text)
        assert f"\n{name}=={version} " in locked
