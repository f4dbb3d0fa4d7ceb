"""The backup of docker compose, as docs/operations.md prints it, with a docker that only remembers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.deploy.docker import Docker
from tests.docs.pages import blocks
from tests.live import ROOT


def printed(word: str) -> str:
    page = blocks(ROOT / "docs/operations.md")
    [text] = [text for language, text in page if language == "bash" and f"db {word}" in text]
    return text


@pytest.fixture
def docker(tmp_path: Path) -> Docker:
    return Docker(tmp_path)


def dumps(docker: Docker) -> list[Path]:
    return sorted(docker.home.glob("*.dump"))


def test_nobody_else_may_read_it(docker: Docker) -> None:
    assert docker.run("bash", "-c", printed("pg_dump")).returncode == 0

    [made] = dumps(docker)
    assert made.read_text() == "whole\n"
    assert made.stat().st_mode & 0o077 == 0


def test_one_that_fails_leaves_the_one_before(docker: Docker) -> None:
    docker.run("bash", "-c", printed("pg_dump"))
    (docker.home / "broken").touch()

    assert docker.run("bash", "-c", printed("pg_dump")).returncode != 0

    assert [each.read_text() for each in dumps(docker)] == ["whole\n"]


def test_it_comes_back_while_nobody_is_served(docker: Docker) -> None:
    (docker.home / "madang-2026-01-01.dump").write_text("whole")

    done = docker.run("bash", "-c", printed("pg_restore"))

    assert done.returncode == 0, done.stderr
    assert (docker.home / "restored").read_text() == "whole"
    steps = [line.removeprefix("compose ") for line in docker.asked]
    assert [steps[0], *steps[2:]] == ["stop app", "run --rm release", "start app"]


def test_one_that_does_not_come_back_is_not_served(docker: Docker) -> None:
    (docker.home / "madang-2026-01-01.dump").write_text("half")
    (docker.home / "broken").touch()

    assert docker.run("bash", "-c", printed("pg_restore")).returncode != 0
    assert len(docker.asked) == 2


@pytest.mark.parametrize("name", [".gitignore", ".dockerignore"])
def test_it_is_no_part_of_the_project(name: str) -> None:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    assert {"*.dump", "*.dump.new"} <= {line.removeprefix("**/") for line in lines}
