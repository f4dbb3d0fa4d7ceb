"""The blueprints that Render deploys: fresh, right, and run as Render would, from an empty database."""

from __future__ import annotations

import json
import os
import secrets
import shlex
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg2
import pytest
import yaml
from jsonschema import Draft202012Validator

from scripts import render
from scripts.backups.restore import drop
from tests import live
from tests.deploy.blueprints import faults
from tests.waiting import until_it_answers

SCHEMA = live.ROOT.parent / "shared" / "render-schema.json"
"""Render's own, where somebody has put it beside the checkout; it is not ours to publish."""
BLUEPRINTS = {name: make() for name, (_, make) in render.FILES.items()}
FREE, PRODUCTION = BLUEPRINTS.values()
Json = dict[str, Any]


class TestFiles:
    @pytest.mark.parametrize("name", BLUEPRINTS)
    def test_are_what_their_source_says(self, name: str) -> None:
        content = (live.ROOT / name).read_text(encoding="utf-8")

        assert content == render.text(name)
        assert yaml.safe_load(content) == BLUEPRINTS[name]

    def test_stale_ones_are_named(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        render.main([], tmp_path)
        assert render.main(["--check"], tmp_path) == 0
        (tmp_path / "render.yaml").write_text("services: []")

        assert render.main(["--check"], tmp_path) == 1
        assert "render.yaml is stale" in capsys.readouterr().out

    if SCHEMA.is_file():

        @pytest.mark.parametrize("name", BLUEPRINTS)
        def test_follow_the_schema(self, name: str) -> None:
            schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
            Draft202012Validator(schema).validate(BLUEPRINTS[name])


class TestFaults:
    @pytest.mark.parametrize("name", BLUEPRINTS)
    def test_there_are_none(self, name: str) -> None:
        assert faults(BLUEPRINTS[name]) == []

    @pytest.mark.parametrize(
        ("change", "fault"),
        [
            (lambda b: b["services"][0].update(preDeployCommand="x"), "no preDeployCommand"),
            (lambda b: b["services"][0].update(scaling={"minInstances": 1, "maxInstances": 2}), "no scaling"),
            (lambda b: b["services"][0].update(numInstances=2), "one instance"),
            (lambda b: b["services"][0].update(type="worker"), "no free worker"),
            (lambda b: b["services"][0].update(plan="starter", scaling={"minInstances": 2}), "no bounds"),
            (lambda b: b["services"][0].update(plan="x", scaling={"minInstances": 3, "maxInstances": 2}), "no bounds"),
            (lambda b: b["services"][0].pop("healthCheckPath"), "not watched"),
            (lambda b: b["services"][1].update(name="other"), "REDIS_URL: there is no such service"),
            (lambda b: b["services"][1].pop("ipAllowList"), "madang-cache: is open"),
            (lambda b: b["services"].append(b["services"][1]), "two have this name"),
            (lambda b: b["databases"][0].update(name="other"), "DATABASE_URL: there is no such database"),
            (lambda b: b["databases"][0].pop("ipAllowList"), "madang-db: is open"),
            (lambda b: b["services"][0]["envVars"].append({"fromGroup": "x"}), "no such group"),
            (lambda b: b["services"][0]["envVars"].append({"key": "X", "sync": False}), "asked for"),
            (lambda b: b["services"][0]["envVars"].append({"key": "A_PASSWORD", "value": "x"}), "a secret"),
            (lambda b: b.update(envVarGroups=[{"name": "g", "envVars": [{"key": "X", "sync": False}]}]), "cannot ask"),
        ],
    )  # fmt: skip
    def test_each_is_found(self, change: Callable[[Json], object], fault: str) -> None:
        broken = deepcopy(FREE)
        change(broken)

        assert any(fault in found for found in faults(broken))


class TestBoth:
    def test_serve_alike(self) -> None:
        free, paid = (blueprint["services"][0] for blueprint in BLUEPRINTS.values())
        differ = {key for key in free.keys() | paid.keys() if free.get(key) != paid.get(key)}

        assert differ == {"plan", "dockerCommand", "preDeployCommand", "scaling", "previews"}

    def test_the_free_one_costs_nothing(self) -> None:
        plans = {each["plan"] for each in [*FREE["services"], *FREE["databases"]]}
        assert plans == {"free"}

    def test_the_other_has_a_standby_and_follows_the_load(self) -> None:
        assert PRODUCTION["databases"][0]["highAvailability"] == {"enabled": True}
        assert PRODUCTION["services"][0]["scaling"]["targetCPUPercent"] == 70


@pytest.mark.slow
@pytest.mark.parametrize("name", BLUEPRINTS)
def test_somebody_signs_up_after_a_deploy(
    name: str, environment: dict[str, str], tmp_path: Path
) -> None:
    service = BLUEPRINTS[name]["services"][0]
    with empty_database(environment["DATABASE_URL"]) as database:
        settings = resolve(service["envVars"], database, environment["REDIS_URL"])
        if command := service.get("preDeployCommand"):
            subprocess.run(shlex.split(command), env=settings, cwd=live.ROOT, check=True)
        command = service.get("dockerCommand", "gunicorn -c scripts/gunicorn.conf.py wsgi:app")
        with (tmp_path / "log").open("wb") as log:
            process = subprocess.Popen(
                shlex.split(command), env=settings, cwd=live.ROOT, stdout=log, stderr=log
            )
        try:
            url = f"http://127.0.0.1:{settings['PORT']}"
            until_it_answers(url + service["healthCheckPath"], process)
            try_out(url, settings)
            process.terminate()
            assert process.wait(service["maxShutdownDelaySeconds"]) == 0
        finally:
            process.kill()
            process.wait()


def try_out(url: str, settings: dict[str, str]) -> None:
    keeper = {"email": settings["ADMIN_EMAIL"], "password": settings["ADMIN_PASSWORD"]}
    newcomer = {"email": "nari@example.com", "username": "nari", "password": "four quiet magpies"}
    with httpx.Client(base_url=url) as client:
        alive = client.get("/healthz").json()["data"]
        assert alive["revision"] == settings["RENDER_GIT_COMMIT"]
        assert client.post("/api/v1/auth/signup", json=newcomer).status_code == 201
        login = client.post("/api/v1/auth/login", json=keeper)
        assert login.json()["data"]["user"]["role"] == "admin"
        assert "; Secure" in login.headers["Set-Cookie"]


def resolve(variables: list[Json], database: str, redis: str) -> dict[str, str]:
    """As Render does, with what it sets by itself; its edge takes the place of the one before."""
    settings = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PORT": str(live.free_port()),
        "BIND": "127.0.0.1",
        "RENDER": "true",
        "RENDER_EXTERNAL_URL": "https://madang.onrender.com",
        "RENDER_GIT_COMMIT": secrets.token_hex(20),
    }
    for variable in variables:
        if "value" in variable:
            value = str(variable["value"])
        elif variable.get("generateValue"):
            value = b64encode(secrets.token_bytes(32)).decode()
        else:
            value = database if "fromDatabase" in variable else redis
        settings[variable["key"]] = value
    return settings


@contextmanager
def empty_database(url: str) -> Iterator[str]:
    name = f"render_{secrets.token_hex(4)}"
    with closing(psycopg2.connect(url)) as server:
        server.autocommit = True
        server.cursor().execute(f"CREATE DATABASE {name}")
        try:
            yield urlsplit(url)._replace(path=f"/{name}").geturl()
        finally:
            drop(server.cursor(), name)
