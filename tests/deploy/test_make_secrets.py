"""The secrets of docker-compose.yml: made once, and each container's apart from the others'."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from api.config import Settings
from scripts.compose.make_secrets import LAST, make

NONE_YET = "app/jwt_secret_key_previous"


def contents(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_text() for path in files}


def test_are_made_once(tmp_path: Path) -> None:
    assert make(tmp_path)
    made = contents(tmp_path)

    assert not make(tmp_path)
    assert contents(tmp_path) == made


def test_are_others_elsewhere(tmp_path: Path) -> None:
    for place in ("here", "there"):
        make(tmp_path / place)

    here, there = contents(tmp_path / "here"), contents(tmp_path / "there")
    assert [name for name in here if here[name] == there[name]] == [NONE_YET]


def test_are_good_enough_for_production(tmp_path: Path) -> None:
    make(tmp_path)
    names = ("DATABASE_URL", "REDIS_URL", "JWT_SECRET_KEY", "JWT_SECRET_KEY_PREVIOUS")
    files = {f"{name}_FILE": str(tmp_path / "app" / name.lower()) for name in names}

    Settings.from_env({"ENVIRONMENT": "production", "PUBLIC_URL": "https://x.example", **files})


def test_are_the_ones_that_the_servers_know(tmp_path: Path) -> None:
    make(tmp_path)
    made = contents(tmp_path)

    database, redis = (urlsplit(made[f"app/{name}_url"].strip()) for name in ("database", "redis"))
    assert database.password == made["db/password"].strip()
    assert f"#{sha256(str(redis.password).encode()).hexdigest()} " in made["redis/users.acl"]
    assert made["db/superuser_password"].strip() not in made["app/database_url"]


def test_a_start_that_was_interrupted_is_made_anew(tmp_path: Path) -> None:
    make(tmp_path)
    made = contents(tmp_path)
    (tmp_path / LAST).unlink()

    assert make(tmp_path)
    assert [name for name, text in contents(tmp_path).items() if text == made[name]] == [NONE_YET]


def test_one_that_is_gone_is_named(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "db/password").unlink()

    with pytest.raises(SystemExit, match=r"db/password"):
        make(tmp_path)
