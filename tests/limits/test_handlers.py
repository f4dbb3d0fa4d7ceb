"""A caller can ask what is left, and is told the truth."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.infra.link import closed_port
from tests.keys.test_handlers import make, use
from tests.people import PASSWORD, Person
from tests.spec import CONTRACT
from tests.web.apps import serving

API = CONTRACT.base_path
BY_ADDRESS = ["login", "signup"]


def ask(client: TestClient, headers: dict[str, str]) -> dict[str, dict[str, Any]]:
    found = client.get(f"{API}/limits", headers=headers).json()["data"]["limits"]
    return {limit.pop("name"): limit for limit in found}


def left(client: TestClient, headers: dict[str, str]) -> dict[str, int]:
    return {name: limit["remaining"] for name, limit in ask(client, headers).items()}


def test_tells_what_is_left_of_each_that_applies(client: TestClient, ada: Person) -> None:
    post = {"title": "t", "body": "b"}
    for _ in range(3):
        client.post(f"{API}/posts", json=post, headers=ada.auth)
    key = use(make(client, ada))
    client.post(f"{API}/auth/login", json={"email": ada.email, "password": PASSWORD})

    assert left(client, ada.auth) == {"user": 295, "write": 26, "login": 24, "signup": 10}
    by_address = {"anonymous": 100, "login": 24, "signup": 10}
    assert left(client, key) == {"api_key": 299, "write": 26} | by_address
    assert left(client, {}) == {"anonymous": 99, "login": 24, "signup": 10}


def test_is_what_the_headers_say(client: TestClient, ada: Person) -> None:
    answer = client.get(f"{API}/limits", headers=ada.auth)

    [user] = [limit for limit in answer.json()["data"]["limits"] if limit["name"] == "user"]
    assert answer.headers["RateLimit"] == f'"user";r={user["remaining"]};t={user["resets_in"]}'
    assert answer.headers["RateLimit-Policy"] == f'"user";q={user["limit"]};w={user["window"]}'


@pytest.mark.parametrize(
    ("method", "path", "options"),
    [
        ("GET", "/posts?x=y", {}),
        ("POST", "/posts", {"json": {}}),
        ("POST", "/posts", {"content": b"{", "headers": {"Content-Type": "application/json"}}),
        ("GET", "/posts/nothing", {}),
        ("GET", "/posts", {"headers": {"Accept": "text/html"}}),
    ],
)
def test_what_breaks_the_contract_is_charged(
    client: TestClient, ada: Person, method: str, path: str, options: dict[str, Any]
) -> None:
    options = {**options, "headers": {**options.get("headers", {}), **ada.auth}}

    assert client.request(method, API + path, **options).status_code in (400, 406)

    assert left(client, ada.auth)["user"] == 298


def test_without_redis_each_process_tells_its_own_share(
    environment: dict[str, str], ada: Person
) -> None:
    gone = {"REDIS_URL": f"redis://127.0.0.1:{closed_port()}/0", "WEB_CONCURRENCY": "2"}
    with serving(environment | gone) as client:
        assert left(client, ada.auth)["user"] == 149
