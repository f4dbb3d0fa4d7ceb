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


def test_nothing_that_was_kept_outlives_a_reset(client: TestClient, run: Run) -> None:
    """Neither the answer to an Idempotency-Key, nor the profile that was cached."""
    run()
    headers = {"X-API-Key": key_of("member")}
    again = headers | {"Idempotency-Key": "6f1e8a0b-4c7d-4e1a-9d52-0197f2c07a30"}
    body = {"title": "t", "body": "b", "is_published": True}
    client.post(f"{API}/posts", json=body, headers=again)
    client.patch(f"{API}/users/me", json={"username": "hana_writes"}, headers=headers)
    profile = f"{API}/users/{PEOPLE['member'].id}"
    assert client.get(profile).json()["data"]["username"] == "hana_writes"

    run("--reset")

    answer = client.post(f"{API}/posts", json=body, headers=again)
    assert "Idempotency-Replayed" not in answer.headers
    assert client.get(profile).json()["data"]["username"] == "hana_kim"


@pytest.mark.parametrize(
    "loss",
    [
        "DELETE FROM comments",
        "DELETE FROM posts",
        "UPDATE api_keys SET expires_at = now() WHERE hint LIKE 'madang_%'",
    ],
)
def test_what_was_lost_comes_back_without_a_reset(
    client: TestClient, run: Run, query: Query, loss: str
) -> None:
    run()
    query(loss)
    run()

    headers = {"X-API-Key": key_of("member")}
    comment = client.get(f"{API}/comments/{COMMENT}", headers=headers)
    assert comment.status_code == 200


def test_is_refused_in_production(run: Run, query: Query) -> None:
    strong = "qW3rT6yU9iOp2aSdFgHjKlZxCvBnM1!x"

    assert "production" in run(exit_code=1, ENVIRONMENT="production", JWT_SECRET_KEY=strong)
    assert query("SELECT id FROM users") == []


def test_a_reset_forgets_failed_logins(client: TestClient, run: Run) -> None:
    """Limits may be as wide as one likes: after five of them an account has to wait."""
    password = run().splitlines()[-1].partition(": ")[2]
    email = PEOPLE["member"].email
    for _ in range(6):
        failed = client.post(f"{API}/auth/login", json={"email": email, "password": "wrong one"})
    assert failed.status_code == 429

    run("--reset")
    answer = client.post(f"{API}/auth/login", json={"email": email, "password": password})

    assert answer.status_code == 200
