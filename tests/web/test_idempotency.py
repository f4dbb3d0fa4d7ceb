"""A request that is sent again happens once."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from api.app import App
from api.infra import changes
from api.infra.db import db
from tests import live
from tests.auth.flows import at_once
from tests.comments.test_handlers import API, write
from tests.infra.link import CommitTrap
from tests.people import Person
from tests.waiting import PATIENCE

Query = Callable[..., list[tuple[object, ...]]]
KEY = "6f1e8a0b-4c7d-4e1a-9d52-0197f2c07a30"
POST = {"title": "마당에 핀 꽃", "body": "The first one this year.", "is_published": True}
POSTS = f"{API}/posts"
COUNT = "SELECT count(*) FROM posts"
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE cardinality(pg_blocking_pids(pid)) > 0"
KEYS = "SELECT count(*) FROM idempotency_keys"


def post(
    client: TestClient | httpx.Client,
    person: Person,
    key: str = KEY,
    path: str = POSTS,
    **changes: Any,
) -> httpx.Response:
    body = {"body": "b"} if path.endswith("/comments") else POST
    headers = person.auth | {"Idempotency-Key": key}
    return client.post(path, json=body | changes, headers=headers)


def is_replayed(response: httpx.Response) -> bool:
    return response.headers.get("Idempotency-Replayed") == "true"


def code_of(response: httpx.Response) -> str:
    return str(response.json()["error"]["code"])


class TestTheSameAgain:
    @pytest.mark.parametrize("what", ["post", "comment"])
    def test_is_answered_as_the_first_time(
        self, client: TestClient, ada: Person, query: Query, what: str
    ) -> None:
        path = POSTS if what == "post" else f"{write(client, ada)}/comments"
        first = post(client, ada, path=path)
        before = query(COUNT), query("SELECT count(*) FROM comments")

        again = post(client, ada, path=path)

        assert (is_replayed(first), is_replayed(again)) == (False, True)
        assert (again.status_code, again.content) == (201, first.content)
        for name in ("Location", "ETag", "Content-Type", "Cache-Control"):
            assert again.headers[name] == first.headers[name]
        assert (query(COUNT), query("SELECT count(*) FROM comments")) == before

    def test_happens_once_however_many_come_at_once(
        self, client: TestClient, ada: Person, query: Query
    ) -> None:
        answers = at_once(20, lambda _: post(client, ada))

        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.content for answer in answers}) == 1
        assert sum(map(is_replayed, answers)) == 19
        assert query(COUNT) == [(1,)]

    def test_however_it_is_written(self, client: TestClient, ada: Person) -> None:
        first = post(client, ada)
        body = json.dumps(dict(reversed(POST.items())), indent=1, ensure_ascii=True)
        headers = ada.auth | {"Idempotency-Key": KEY, "Content-Type": "application/json"}

        again = client.post(POSTS, content=body, headers=headers)

        assert again.content == first.content

    def test_is_a_new_one_without_a_key_or_with_another(
        self, client: TestClient, ada: Person, query: Query
    ) -> None:
        for key in ("a", "b", '"a"'):
            assert not is_replayed(post(client, ada, key))
        for _ in range(2):
            client.post(POSTS, json=POST, headers=ada.auth)

        assert query(COUNT) == [(5,)]

    def test_after_a_day_is_a_new_one(self, client: TestClient, ada: Person, query: Query) -> None:
        first = post(client, ada)
        query("UPDATE idempotency_keys SET created_at = now() - interval '24 hours 1 second'")

        later = post(client, ada, title="Another")

        assert later.json()["data"]["id"] != first.json()["data"]["id"]
        assert post(client, ada, title="Another").content == later.content


class TestAnotherRequest:
    @pytest.mark.parametrize("changes", [{"title": "Another"}, {"is_published": False}])
    def test_with_the_key_is_refused(
        self, client: TestClient, ada: Person, query: Query, changes: dict[str, Any]
    ) -> None:
        post(client, ada)

        refused = post(client, ada, **changes)

        assert (refused.status_code, code_of(refused)) == (422, "IDEMPOTENCY_KEY_REUSED")
        assert query(COUNT) == [(1,)]

    def test_to_another_place_too(self, client: TestClient, ada: Person) -> None:
        place = post(client, ada).headers["Location"]

        assert post(client, ada, path=f"{place}/comments").status_code == 422

    def test_of_somebody_else_is_their_own(
        self, client: TestClient, ada: Person, bob: Person
    ) -> None:
        mine, yours = post(client, ada), post(client, bob)

        assert not is_replayed(yours)
        assert mine.json()["data"]["author"] != yours.json()["data"]["author"]


class TestRefusals:
    def test_are_not_kept(self, client: TestClient, ada: Person, query: Query) -> None:
        nowhere = f"{POSTS}/01a20547-abc9-7556-b949-68714accd4b0/comments"

        for _ in range(2):
            refused = post(client, ada, path=nowhere)
            assert (refused.status_code, is_replayed(refused)) == (404, False)

        assert query(KEYS) == [(0,)]
        assert post(client, ada).status_code == 201

    def test_what_they_may_have_left_behind_does_not_count(
        self, client: TestClient, ada: Person, query: Query
    ) -> None:
        """A refusal may be committed for what it writes down, and the key with it."""
        query(
            "INSERT INTO idempotency_keys (user_id, key, request_hash) VALUES (:id, :key, :hash)",
            id=ada.id,
            key=KEY,
            hash=bytes(32),
        )

        assert post(client, ada).status_code == 201
        assert is_replayed(post(client, ada))

    @pytest.mark.parametrize("key", ["", "a b", "ü", "x" * 256])
    def test_of_keys_that_are_none(self, client: TestClient, ada: Person, key: str) -> None:
        headers = [(b"authorization", ada.auth["Authorization"].encode())]
        headers.append((b"idempotency-key", key.encode()))

        refused = client.post(POSTS, json=POST, headers=headers)

        assert (refused.status_code, code_of(refused)) == (400, "INVALID_INPUT")

    def test_of_people_who_may_not_come_before_any_answer(
        self, client: TestClient, ada: Person, query: Query
    ) -> None:
        post(client, ada)
        query("UPDATE users SET status = 'blocked'")

        assert post(client, ada).status_code == 401
        assert post(client, ada, title="Another").status_code == 401


@pytest.mark.slow
def test_who_waits_too_long_is_told_to_come_again(
    client: TestClient, ada: Person, app: App
) -> None:
    """The first one is under way for longer than anybody waits."""
    under_way = (
        "INSERT INTO idempotency_keys (user_id, key, request_hash) VALUES (:id, :key, :hash)"
    )
    with app.flask.app_context(), db.engine.connect() as other:
        other.execute(text(under_way), {"id": ada.id, "key": KEY, "hash": bytes(32)})

        refused = post(client, ada)

        assert (refused.status_code, code_of(refused)) == (409, "REQUEST_IN_PROGRESS")
        assert int(refused.headers["Retry-After"]) > 0
        other.rollback()

    assert post(client, ada).status_code == 201


def test_many_who_wait_are_in_nobodys_way(
    client: TestClient, ada: Person, app: App, query: Query
) -> None:
    """There are five threads and as many connections; a repeat that waits takes one of them at most."""
    under_way = (
        "INSERT INTO idempotency_keys (user_id, key, request_hash) VALUES (:id, :key, :hash)"
    )
    with app.flask.app_context(), db.engine.connect() as other, ThreadPoolExecutor(12) as pool:
        other.execute(text(under_way), {"id": ada.id, "key": KEY, "hash": bytes(32)})
        repeats = [pool.submit(post, client, ada) for _ in range(12)]
        while query(WAITING) == [(0,)]:
            pass

        readers = [client.get(f"{API}/users") for _ in range(30)]

        assert {reader.status_code for reader in readers} == {200}
        assert query(WAITING) == [(1,)]
        other.rollback()
        assert {repeat.result().status_code for repeat in repeats} == {201}


@pytest.mark.parametrize("who", ["nobody any more", "a key that may only read"])
def test_who_may_not_come_in_does_not_wait(
    client: TestClient, ada: Person, app: App, query: Query, who: str
) -> None:
    key = client.post(f"{API}/api-keys", json={"name": "k", "scopes": ["read"]}, headers=ada.auth)
    headers, expected = {"X-API-Key": key.json()["data"]["key"]}, 403
    if who == "nobody any more":
        query("UPDATE sessions SET ended_at = now(), end_reason = 'blocked'")
        changes.lose()  # or it would be noticed within the second
        headers, expected = ada.auth, 401
    under_way = (
        "INSERT INTO idempotency_keys (user_id, key, request_hash) VALUES (:id, :key, :hash)"
    )
    with app.flask.app_context(), db.engine.connect() as other:
        other.execute(text(under_way), {"id": ada.id, "key": KEY, "hash": bytes(32)})

        refused = client.post(POSTS, json=POST, headers=headers | {"Idempotency-Key": KEY})

        assert refused.status_code == expected
        other.rollback()


def test_nothing_of_it_outlives_the_account(client: TestClient, ada: Person, query: Query) -> None:
    post(client, ada)

    client.delete(f"{API}/users/me", headers=ada.auth)

    assert query(KEYS) == [(0,)]


@pytest.mark.slow
def test_whoever_is_killed_between_commit_and_answer_has_done_it_once(
    environment: dict[str, str], ada: Person, query: Query, tmp_path: Path
) -> None:
    """X6: PostgreSQL has committed, and neither the worker nor the client ever hears of it."""
    address = urlsplit(environment["DATABASE_URL"])
    trap = CommitTrap(address.hostname or "", address.port or 5432)
    netloc = f"{address.netloc.rpartition('@')[0]}@127.0.0.1:{trap.port}"
    behind = environment | {"DATABASE_URL": address._replace(netloc=netloc).geturl()}
    with (
        live.serve(behind | {"WEB_CONCURRENCY": "1"}, tmp_path / "log") as server,
        server.client() as client,
        ThreadPoolExecutor(1) as pool,
    ):
        trap.armed.set()
        lost = pool.submit(post, client, ada)
        assert trap.sprung.wait(PATIENCE)
        [worker] = psutil.Process(server.process.pid).children()
        worker.kill()
        assert isinstance(lost.exception(PATIENCE), httpx.TransportError)
        assert query(COUNT) == [(1,)]
        trap.armed.clear()

        again = _once_up(client, ada)

        assert is_replayed(again)
        assert [(again.json()["data"]["id"],)] == query("SELECT id::text FROM posts")
    trap.cut()


def _once_up(client: httpx.Client, person: Person) -> httpx.Response:
    """As a client would: again and again, until there is an answer."""
    for _ in range(100):
        try:
            return post(client, person)
        except httpx.TransportError:
            continue
    raise AssertionError("nobody answers")
