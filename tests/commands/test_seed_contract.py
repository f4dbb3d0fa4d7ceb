"""Contract-test tools find the same people, things and keys each time."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from click.testing import CliRunner
from redis import Redis
from starlette.testclient import TestClient

from api.cli import main
from api.commands.seed_contract import COMMENT, DRAFT, PEOPLE, POST, key_of
from tests.spec import CONTRACT

API = CONTRACT.base_path
Query = Callable[..., list[tuple[object, ...]]]
Run = Callable[..., str]


@pytest.fixture
def run(environment: dict[str, str], clean: None) -> Run:
    def seed(*options: str, exit_code: int = 0, **changes: str) -> str:
        command = ["seed", "--profile", "contract-test", *options]
        result = CliRunner(env=environment | changes).invoke(main, command)
        assert result.exit_code == exit_code, result.output
        return result.output

    return seed


def statuses(client: TestClient, path: str) -> dict[str, int]:
    return {
        name: client.get(API + path, headers={"X-API-Key": key_of(name)}).status_code
        for name in PEOPLE
    }


def test_each_role_has_a_key_that_works(client: TestClient, run: Run) -> None:
    lines = run().splitlines()[:-1]

    assert [line.split()[-1] for line in lines] == [key_of(name) for name in PEOPLE]
    seen = {"member": 200, "stranger": 200, "moderator": 200, "admin": 200, "blocked": 401}
    assert statuses(client, "/users/me") == seen
    assert statuses(client, f"/posts/{POST}") == seen
    assert statuses(client, f"/comments/{COMMENT}") == seen
    hidden = {name: 404 if status == 200 else status for name, status in seen.items()}
    assert statuses(client, f"/posts/{DRAFT}") == hidden | {"member": 200}


def test_the_people_can_log_in(client: TestClient, run: Run) -> None:
    *lines, last = run().splitlines()
    password = last.partition(": ")[2]
    for line in lines:
        name, user_id, role, email, _ = line.split()
        answer = client.post(f"{API}/auth/login", json={"email": email, "password": password})
        if name == "blocked":
            assert answer.status_code == 401
            continue
        token = answer.json()["data"]["access_token"]
        me = client.get(f"{API}/users/me", headers={"Authorization": f"Bearer {token}"}).json()
        assert (me["data"]["id"], me["data"]["role"]) == (user_id, role)


def test_the_examples_of_the_contract_find_something(client: TestClient, run: Run) -> None:
    run()
    for name, path in (
        ("PostId", "/posts/{}"),
        ("CommentId", "/comments/{}"),
        ("UserId", "/users/{}"),
    ):
        example = CONTRACT.document["components"]["parameters"][name]["example"]
        assert client.get(API + path.format(example)).status_code == 200


def test_a_second_time_changes_nothing_and_a_reset_everything_back(
    client: TestClient, run: Run, query: Query, redis: Redis
) -> None:
    def stored() -> list[list[tuple[object, ...]]]:
        return [
            query("SELECT id, username, role, status, post_count FROM users ORDER BY id"),
            query("SELECT id, title, comment_count FROM posts ORDER BY id"),
            query("SELECT id, body FROM comments ORDER BY id"),
            query("SELECT user_id, key_hash FROM api_keys ORDER BY user_id"),
            query("SELECT sum(published) FROM post_totals"),
        ]

    run()
    once = stored()
    run()
    assert stored() == once

    headers = {"X-API-Key": key_of("member")}
    client.patch(f"{API}/posts/{POST}", json={"title": "Another"}, headers=headers)
    client.post(f"{API}/posts", json={"title": "t", "body": "b"}, headers=headers)
    query("DELETE FROM users WHERE username = 'minjun'")
    run("--reset")

    assert stored() == once


def test_is_refused_in_production(run: Run, query: Query) -> None:
    strong = "qW3rT6yU9iOp2aSdFgHjKlZxCvBnM1!x"

    assert "production" in run(exit_code=1, ENVIRONMENT="production", JWT_SECRET_KEY=strong)
    assert query("SELECT id FROM users") == []
