"""From signing up to a comment, through whatever stands in front: MADANG_URL, else a service of our own."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests import live

PASSWORD = "four quiet magpies"


@pytest.fixture
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if given := os.environ.get("MADANG_URL"):
        yield given
        return
    request.getfixturevalue("clean")
    with live.serve(request.getfixturevalue("environment"), tmp_path / "log") as server:
        yield server.url


@pytest.mark.slow
def test_somebody_signs_up_writes_and_is_answered(url: str) -> None:
    name = f"nari_{secrets.token_hex(6)}"
    account = {"email": f"{name}@example.com", "password": PASSWORD}
    # The name that it is published under, wherever it is reached.
    with httpx.Client(base_url=f"{url}/api/v1", headers={"Host": "localhost"}) as client:
        signed_up = client.post("/auth/signup", json=account | {"username": name})
        assert signed_up.status_code == 201
        token = client.post("/auth/login", json=account).json()["data"]["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"

        post = client.post("/posts", json={"title": "마당", "body": "글", "is_published": True})
        comment = client.post(f"/posts/{post.json()['data']['id']}/comments", json={"body": "댓글"})
        assert comment.status_code == 201

        assert client.get(f"{url}{post.headers['Location']}").json()["data"]["comment_count"] == 1
