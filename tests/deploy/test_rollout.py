"""scripts/rollout and scripts/rollback, with a docker that only remembers: a bad image leaves what ran before."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.deploy.docker import Docker
from tests.docs.pages import blocks
from tests.live import ROOT

NAME = "api.example.com"


@pytest.fixture
def docker(tmp_path: Path) -> Docker:
    docker = Docker(tmp_path)
    assert docker.script("rollout", IMAGE="madang:v1", SERVER_NAME=NAME).returncode == 0
    assert docker.containers == ["madang:v1"] * 2
    return docker


def test_new_containers_take_the_place_of_the_old_ones(docker: Docker) -> None:
    done = docker.script("rollout", IMAGE="madang:v2", SERVER_NAME=NAME)

    assert done.returncode == 0, done.stderr
    assert docker.containers == ["madang:v2"] * 2


def test_a_bad_image_goes_however_often_it_is_tried(docker: Docker) -> None:
    for _ in range(3):
        failed = docker.script("rollout", IMAGE="madang:bad", SERVER_NAME=NAME)

        assert failed.returncode != 0
        assert "what ran before goes on" in failed.stderr
        assert "its last words" in failed.stderr
        assert docker.containers == ["madang:v1"] * 2


@pytest.mark.parametrize("script", ["rollout", "rollback"])
def test_after_a_bad_one_a_good_one_comes(docker: Docker, script: str) -> None:
    docker.script("rollout", IMAGE="madang:bad", SERVER_NAME=NAME)

    if script == "rollout":
        done = docker.script("rollout", IMAGE="madang:v2", SERVER_NAME=NAME)
    else:
        done = docker.script("rollback", "v2", IMAGE_NAME="madang", SERVER_NAME=NAME)

    assert done.returncode == 0, done.stderr
    assert docker.containers == ["madang:v2"] * 2


def test_as_many_as_there_were_stay_and_nothing_else_is_begun_again(docker: Docker) -> None:
    """Not as many as the file says; nor the release, which has ended and is of another version."""
    docker.run("docker", "compose", "up", "--scale", "app=3", IMAGE="madang:v1")

    assert docker.script("rollout", IMAGE="madang:v2", SERVER_NAME=NAME).returncode == 0

    assert docker.containers == ["madang:v2"] * 3
    last = "compose up --detach --no-deps --no-recreate --scale app=3 --wait app nginx"
    assert docker.asked[-1] == last


@pytest.mark.parametrize(
    ("settings", "does"),
    [("SERVER_NAME=x\nIMAGE=madang:v2\n", "pull"), ("SERVER_NAME=x\n", "build"), (None, "build")],
)
def test_an_image_is_pulled_if_dot_env_names_one(
    docker: Docker, settings: str | None, does: str
) -> None:
    script = docker.home / "scripts" / "rollout"
    script.parent.mkdir()
    shutil.copy(ROOT / "scripts" / "rollout", script)
    if settings is not None:
        (docker.home / ".env").write_text(settings)
    docker.run("docker", "forget")

    assert docker.run(script).returncode == 0

    assert docker.asked[docker.asked.index("forget") + 1] == f"compose {does} --quiet app"


def test_a_docker_that_does_not_answer_changes_nothing(docker: Docker) -> None:
    """It would look as if nothing ran."""
    (docker.home / "silent").touch()

    assert docker.script("rollout", IMAGE="madang:v2", SERVER_NAME=NAME).returncode != 0

    (docker.home / "silent").unlink()
    assert docker.containers == ["madang:v1"] * 2


def test_the_way_back_works_as_it_is_printed(docker: Docker) -> None:
    page = blocks(ROOT / "docs/operations.md")
    [line] = [text for _, text in page if "scripts/rollback" in text]
    docker.run("docker", "forget")

    done = docker.run("bash", "-c", f"cd {ROOT} && {line}")

    assert done.returncode == 0, done.stderr
    assert docker.containers == ["ghcr.io/owner/madang:v1.2.2"] * 2
    since = docker.asked[docker.asked.index("forget") :]
    assert not any("release" in asked for asked in since)
