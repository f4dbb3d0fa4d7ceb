"""What ends an API key, what it may not do even for an administrator, and what becomes of its writes under way."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from api.app import App
from api.infra.db import db
from tests.admin.acts import block, change_role, unblock
from tests.auth.flows import meanwhile
from tests.keys.test_handlers import API, POST, POSTS, Query, make, use
from tests.people import People, Person
from tests.waiting import until

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE cardinality(pg_blocking_pids(pid)) > 0"


@pytest.fixture
def boss(people: People) -> Person:
    return people("boss", role="admin")


def one_behind_the_other(
    app: App,
    query: Query,
    person: Person,
    first: Callable[[], httpx.Response],
    second: Callable[[], httpx.Response],
) -> tuple[httpx.Response, httpx.Response]:
    """*second* comes while *first* waits for the person's row, and both go on once that is free."""
    hold = text("SELECT id FROM users WHERE id = :id FOR UPDATE")
    with app.flask.app_context(), db.engine.connect() as other, ThreadPoolExecutor(2) as pool:
        other.execute(hold, {"id": person.id})
        answers = []
        for waiting, call in enumerate((first, second), 1):
            answers.append(pool.submit(call))
            # Called before the loop goes on, so it may use what the loop counts.
            until(lambda: answers[-1].done() or query(WAITING) == [(waiting,)], pause=0)  # noqa: B023
        other.rollback()
        return answers[0].result(), answers[1].result()


def test_nothing_is_written_with_a_key_once_its_person_is_blocked(
    client: TestClient, app: App, query: Query, ada: Person, boss: Person
) -> None:
    """X8, Z11: also when the request was on its way already."""
    key = use(make(client, ada))

    blocked, written = one_behind_the_other(
        app,
        query,
        ada,
        lambda: block(client, boss, ada.id),
        lambda: client.post(POSTS, json=POST, headers=key),
    )

    assert (blocked.status_code, written.status_code) == (200, 401)
    assert query("SELECT count(*) FROM posts") == [(0,)]


def test_a_moderator_who_is_none_any_more_deletes_nothing(
    client: TestClient, app: App, query: Query, ada: Person, boss: Person, people: People
) -> None:
    moderator = people("mod", role="moderator")
    post = client.post(POSTS, json=POST, headers=ada.auth).headers["Location"]

    changed, deleted = one_behind_the_other(
        app,
        query,
        moderator,
        lambda: change_role(client, boss, moderator.id, "user"),
        lambda: client.delete(post, headers=moderator.auth),
    )

    assert (changed.status_code, deleted.status_code) == (200, 403)
    assert client.get(post).status_code == 200


def test_unblocking_brings_no_key_back(client: TestClient, ada: Person, boss: Person) -> None:
    """T14, as for sessions: who is blocked may be somebody else's victim."""
    key = use(make(client, ada))
    block(client, boss, ada.id)
    assert client.get(POSTS, headers=key).status_code == 401

    unblock(client, boss, ada.id)

    assert client.get(POSTS, headers=key).status_code == 401


def test_a_key_has_no_role_but_that_of_everybody(
    client: TestClient, ada: Person, boss: Person
) -> None:
    """Programs neither administer nor moderate, whoever made their key."""
    key = use(make(client, boss))
    post = client.post(POSTS, json=POST, headers=ada.auth).headers["Location"]
    someone = f"{API}/users/{ada.id}"

    assert client.patch(someone, json={"bio": "b"}, headers=key).status_code == 403
    assert client.delete(post, headers=key).status_code == 403
    assert "email" not in client.get(someone, headers=key).json()["data"]
    assert client.get(f"{API}/users/me", headers=key).json()["data"]["role"] == "admin"


@pytest.mark.parametrize("path", [f"{POSTS}/01a20547-abc9-7556-b949-68714accd4b0", POSTS])
def test_every_use_is_noted_also_one_that_is_refused(
    client: TestClient, ada: Person, query: Query, path: str
) -> None:
    """Whoever tries out a stolen key leaves a trace."""
    key = use(make(client, ada, scopes=["write"]))

    assert client.get(path, headers=key).status_code == 403

    assert query("SELECT last_used_at IS NULL FROM api_keys") == [(False,)]


@pytest.mark.parametrize("header", ["X-API-Key", "Idempotency-Key"])
def test_two_headers_of_one_name_are_refused(
    client: TestClient, ada: Person, bob: Person, header: str
) -> None:
    values = [make(client, person)["key"] for person in (ada, bob)]
    token = [] if header == "X-API-Key" else [("Authorization", ada.auth["Authorization"])]

    twice = [*token, *((header, value) for value in values)]
    refused = client.post(POSTS, json=POST, headers=twice)

    assert refused.status_code == 400
    assert list(refused.json()["error"]["details"]) == [header.lower()]


def test_one_that_expires_in_this_very_moment_writes_nothing(
    client: TestClient, app: App, query: Query, ada: Person
) -> None:
    key = use(make(client, ada))

    answer = meanwhile(
        query,
        app,
        "UPDATE api_keys SET expires_at = now()",
        lambda: client.post(POSTS, json=POST, headers=key),
    )

    assert answer.status_code == 401
    assert query("SELECT count(*) FROM posts") == [(0,)]


@pytest.mark.parametrize(
    "held", ["SELECT id FROM api_keys FOR NO KEY UPDATE", "LOCK TABLE api_keys IN SHARE MODE"]
)
def test_that_a_use_cannot_be_noted_changes_no_answer(
    client: TestClient, app: App, query: Query, ada: Person, held: str
) -> None:
    """Another request is noting it just now, or nobody can."""
    key = use(make(client, ada))
    with app.flask.app_context(), db.engine.connect() as other:
        other.execute(text(held))

        assert client.get(POSTS, headers=key).status_code == 200

        other.rollback()
