"""T8: the service does not start on a key that can be guessed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from api.config import Misconfigured, Settings

GOOD = "kQ7v2Zr9XwT4bN8mL1cHs6Jd3fGy5PuA"
"""Exactly 32 bytes."""
PRODUCTION = {"ENVIRONMENT": "production", "PUBLIC_URL": "https://madang.net"}


@pytest.mark.parametrize("key", ["", "secret", GOOD[:-1], "é" * 15])
def test_a_short_one_is_refused_everywhere(environment: dict[str, str], key: str) -> None:
    with pytest.raises(Misconfigured, match="JWT_SECRET_KEY"):
        Settings.from_env(environment | {"JWT_SECRET_KEY": key})


@pytest.mark.parametrize(
    "key",
    [
        "change-me-change-me-change-me-change-me",
        "my-very-secret-jwt-key-0123456789abcdef",
        "x" * 64,
        "0123456701234567012345670123456701234567",
        "kQ7v2Zr9XwT4-MADANG-N8mL1cHs6Jd3fGy5PuA",
    ],
)
def test_a_guessable_one_is_refused_in_production(environment: dict[str, str], key: str) -> None:
    with pytest.raises(Misconfigured, match="JWT_SECRET_KEY"):
        Settings.from_env(environment | PRODUCTION | {"JWT_SECRET_KEY": key})


@pytest.mark.parametrize(
    "other",
    [
        {"JWT_SECRET_KEY_PREVIOUS": GOOD},
        {"ADMIN_PASSWORD": GOOD},
        {"DATABASE_URL": f"postgresql://madang:{GOOD}@127.0.0.1/madang"},
        {"REDIS_URL": f"redis://:{GOOD}@127.0.0.1/0"},
    ],
)
def test_one_that_is_another_secret_too_is_refused(
    environment: dict[str, str], other: dict[str, str]
) -> None:
    with pytest.raises(Misconfigured, match="JWT_SECRET_KEY"):
        Settings.from_env(environment | {"JWT_SECRET_KEY": GOOD} | other)


def test_a_weak_previous_one_is_refused(environment: dict[str, str]) -> None:
    keys = {"JWT_SECRET_KEY": GOOD, "JWT_SECRET_KEY_PREVIOUS": "secret"}

    with pytest.raises(Misconfigured, match="JWT_SECRET_KEY_PREVIOUS"):
        Settings.from_env(environment | keys)


def test_a_good_one_is_taken(environment: dict[str, str]) -> None:
    settings = Settings.from_env(environment | PRODUCTION | {"JWT_SECRET_KEY": GOOD})

    assert settings.jwt_secret_key == GOOD


@pytest.mark.parametrize("key", ["secret", GOOD[:-1]])
def test_the_process_ends_and_names_the_fault_but_not_the_key(
    environment: dict[str, str], key: str
) -> None:
    run = subprocess.run(
        [sys.executable, "-c", "import wsgi"],
        env=environment | PRODUCTION | {"JWT_SECRET_KEY": key},
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode != 0
    assert "JWT_SECRET_KEY" in run.stderr
    assert key not in (run.stdout + run.stderr).replace("JWT_SECRET_KEY", "")
