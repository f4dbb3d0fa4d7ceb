"""What the compose files promise about each container, read from the files; that it comes up is tried by hand."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Any

import pytest
import yaml

from api.config import Settings
from tests.live import ROOT


class Loader(yaml.SafeLoader):
    """Knows Compose's tag for what replaces rather than adds."""


def override(loader: Loader, node: yaml.SequenceNode) -> list[Any]:
    return loader.construct_sequence(node)


Loader.add_constructor("!override", override)


def document(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.load((ROOT / name).read_text(encoding="utf-8"), Loader)
    return found


def services(name: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = document(name)["services"]
    return found


BASE, PROD = services("docker-compose.yml"), services("docker-compose.prod.yml")
WATCHING = services("monitoring/compose.yml")
BOTH = {name: BASE.get(name, {}) | PROD.get(name, {}) for name in [*BASE, *PROD] if name != "test"}
ONCE = {"secrets", "release", "certificate"}
TOOLS = {"certbot"}
"""Run by hand, as root: it keeps files for others."""
ELSEWHERE = {
    "ADMIN_EMAIL": "the release alone makes an administrator",
    "ADMIN_PASSWORD": "the release alone makes an administrator",
    "DATABASE_URL_FILE": "is where DATABASE_URL comes from",
    "PORT": "nginx and the health check of the image know it",
    "REVISION": "the image has it from its build",
}
"""Settings that the containers are not told in common, and why."""


@pytest.mark.parametrize("name", sorted(BOTH.keys() - TOOLS))
def test_a_container_can_do_no_more_than_it_needs(name: str) -> None:
    service = BOTH[name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "cap_add" not in service
    assert "privileged" not in service


@pytest.mark.parametrize("name", WATCHING)
def test_what_watches_is_kept_in_and_away_from_the_public(name: str) -> None:
    service = WATCHING[name]

    assert service["profiles"] == ["observability"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["logging"]["options"] == {"max-size": "20m", "max-file": "5"}
    assert service["deploy"]["resources"]["limits"].keys() == {"cpus", "memory"}
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    for file in (each.split(":")[0] for each in service.get("volumes", [])):
        assert not file.startswith("./") or (ROOT / "monitoring" / file).is_dir()


@pytest.mark.parametrize("name", sorted(BOTH.keys() - ONCE - TOOLS))
def test_what_runs_on_is_watched_and_limited_on_a_server(name: str) -> None:
    service = BOTH[name]

    assert service.get("healthcheck", {}).get("test") or name == "app"  # the image has its own
    assert service["restart"] == "always"
    assert service["deploy"]["resources"]["limits"].keys() == {"cpus", "memory", "pids"}


@pytest.mark.parametrize("name", BOTH)
def test_logs_do_not_fill_a_server(name: str) -> None:
    assert BOTH[name]["logging"]["options"] == {"max-size": "20m", "max-file": "5"}


@pytest.mark.parametrize("name", BASE)
def test_nothing_starts_before_what_it_needs(name: str) -> None:
    for condition in BASE[name].get("depends_on", {}).values():
        assert condition["condition"] != "service_started"


@pytest.mark.parametrize(
    "text", ["docker-compose.yml", "docker-compose.prod.yml", "monitoring/compose.yml"]
)
def test_there_is_no_secret_in_a_file(text: str) -> None:
    content = (ROOT / text).read_text(encoding="utf-8")

    for name, value in re.findall(r"(\w*(?:PASSWORD|SECRET)\w*): *(\S+)", content):
        assert name.endswith("_FILE") or value == f"${{{name}:-}}", name
    assert not re.search(r"://[^/\s]*@", content)


@pytest.mark.parametrize("name", [name for name in BOTH if "build" not in BOTH[name]])
def test_images_are_pinned_to_a_version(name: str) -> None:
    assert re.search(r":v?\d+(\.\d+)*$", BOTH[name]["image"])


def test_every_setting_reaches_the_containers() -> None:
    """With the default that .env.example tells, where somebody may set it."""
    told: dict[str, str] = document("docker-compose.yml")["x-settings"]
    names = {each.name.upper() for each in fields(Settings)} - ELSEWHERE.keys()
    example = (ROOT / ".env.example").read_text(encoding="utf-8")

    assert {name.removesuffix("_FILE") for name in told} == names
    for name, value in told.items():
        if passed := re.fullmatch(r"\$\{(\w+):-(.*)\}", value):
            assert passed[1] == name
            assert f"\n{name}={passed[2]}\n" in example or name == "PUBLIC_URL"


def test_two_containers_serve_on_a_server() -> None:
    assert PROD["app"]["deploy"]["replicas"] == 2
    assert PROD["nginx"]["ports"] == ["80:8080", "443:8443"]
