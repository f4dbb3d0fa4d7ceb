"""Answers that are given again at once: the same ones, only to whom they belong, and never after a write."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event
from typing import Any

import httpx
import pytest
from redis import Redis
from starlette.testclient import TestClient

from api.infra import changes
from api.web.asgi import kept
from tests.auth.flows import Query, at_once
from tests.people import Person
from tests.waiting import until
from tests.web.apps import app_with, client_of

POSTS, USERS = "/api/v1/posts", "/api/v1/users"
POST = {"title": "old", "body": "b", "is_published": True}
FOR_ONE = {"X-Request-ID", "traceparent", "RateLimit", "X-RateLimit-Remaining", "X-RateLimit-Reset"}
"""Headers that differ from one answer to the next."""


@dataclass
class Yard:
    client: TestClient
    ada: Person
    query: Query
    redis: Redis

    def change_secretly(self, title: str) -> None:
        """So that only who asks PostgreSQL sees it."""
        self.query("UPDATE posts SET title = :title", title=title)
        self.redis.flushdb()

    def shown(self, path: str = POSTS, **headers: str) -> str:
        answer = self.client.get(path, headers=headers)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["data"]["items"][0]["title"])


@pytest.fixture
def yard(client: TestClient, ada: Person, query: Query, redis: Redis) -> Yard:
    client.post(POSTS, json=POST, headers=ada.auth)
    return Yard(client, ada, query, redis)


@pytest.fixture
def known(yard: Yard) -> Yard:
    """The list was asked for, and has changed since in a way that nobody told."""
    assert yard.shown() == "old"
    yard.change_secretly("new")
    return yard


def lasting(answer: httpx.Response) -> dict[str, str]:
    unlike = {name.lower() for name in FOR_ONE}
    return {name: value for name, value in answer.headers.items() if name not in unlike}


def test_the_second_one_is_the_first_one_again(known: Yard) -> None:
    first, second = known.client.get(POSTS), known.client.get(POSTS)

    assert second.json()["data"]["items"][0]["title"] == "old"
    assert second.content == first.content
    assert lasting(second) == lasting(first)
    assert second.headers["X-Request-ID"] != first.headers["X-Request-ID"]


@pytest.mark.parametrize(
    "path", [f"{POSTS}?size=1", f"{POSTS}?page=1", f"{POSTS}?sort=-created_at"]
)
def test_another_question_is_another_one(known: Yard, path: str) -> None:
    assert known.shown(path) == "new"


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Length": "0"},
        {"Cookie": "a=b"},
        {"Expect": "100-continue"},
        {"Authorization": "theirs"},
    ],
    ids=str,
)
def test_what_is_not_plain_takes_the_long_road(known: Yard, headers: dict[str, str]) -> None:
    if "Authorization" in headers:
        headers = known.ada.auth

    assert known.shown(**headers) == "new"


def test_what_the_long_road_refuses_is_refused(known: Yard) -> None:
    refusals = {
        401: {"headers": {"Authorization": "Bearer x"}},
        406: {"headers": {"Accept": "text/html"}},
        400: {"headers": [("Origin", "http://a.example"), ("Origin", "http://b.example")]},
    }
    for status, given in refusals.items():
        assert known.client.get(POSTS, **given).status_code == status  # type: ignore[arg-type]
    assert known.client.request("GET", POSTS, content=b"{}").status_code == 400


def test_only_what_the_contract_lets_be_kept(yard: Yard) -> None:
    [place] = (item["id"] for item in yard.client.get(POSTS).json()["data"]["items"])
    path, words = f"{POSTS}/{place}", f"{POSTS}?q=old"
    assert yard.client.get(path).json()["data"]["title"] == yard.shown(words) == "old"
    yard.change_secretly("older")

    assert yard.client.get(path).json()["data"]["title"] == yard.shown(words) == "older"


def test_a_draft_is_for_its_author_alone(yard: Yard) -> None:
    yard.client.post(POSTS, json=POST | {"is_published": False}, headers=yard.ada.auth)
    drafts = f"{POSTS}?is_published=false"

    assert yard.shown(drafts, **yard.ada.auth) == "old"
    assert yard.client.get(drafts).json()["data"]["items"] == []


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("form", ["{}", "W/{}", '"x", {}', "*"])
def test_who_has_it_already_is_told_so(known: Yard, method: str, form: str) -> None:
    tag = known.client.get(POSTS).headers["ETag"]

    answer = known.client.request(method, POSTS, headers={"If-None-Match": form.format(tag)})

    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["ETag"] == tag
    assert "Content-Type" not in answer.headers
    assert known.client.get(POSTS, headers={"If-None-Match": '"x"'}).status_code == 200


def test_the_first_to_ask_may_have_it_already(yard: Yard) -> None:
    """Then others are still given the whole."""
    tag = yard.client.get(POSTS).headers["ETag"]
    changes.note("posts:list")

    assert yard.client.get(POSTS, headers={"If-None-Match": tag}).status_code == 304
    yard.change_secretly("new")
    assert yard.shown() == "old"


def test_a_head_has_no_body_and_lets_the_next_one_have_it(yard: Yard) -> None:
    head = yard.client.head(POSTS)
    yard.change_secretly("new")

    assert head.content == b""
    assert yard.shown() == "old"
    assert yard.client.head(POSTS).headers["Content-Length"] == head.headers["Content-Length"]


def test_a_write_ends_it_at_once(known: Yard) -> None:
    known.client.post(POSTS, json=POST | {"title": "newest"}, headers=known.ada.auth)

    assert known.shown() == "newest"


def test_a_write_of_something_else_does_not(known: Yard) -> None:
    known.client.patch(f"{USERS}/me", json={"bio": "b"}, headers=known.ada.auth)

    assert known.shown() == "old"


def test_a_profile_is_ended_by_its_person(yard: Yard) -> None:
    path = f"{USERS}/{yard.ada.id}"
    assert yard.client.get(path).json()["data"]["bio"] is None

    yard.client.patch(f"{USERS}/me", json={"bio": "b"}, headers=yard.ada.auth)

    assert yard.client.get(path).json()["data"]["bio"] == "b"


def test_losing_redis_ends_everything(known: Yard) -> None:
    changes.lose()

    assert known.shown() == "new"


def test_it_ends_by_itself(known: Yard) -> None:
    """What was written on another host is seen within a second, though nobody tells."""
    assert kept.SECONDS < 1
    until(lambda: known.shown() == "new", pause=0.05)


def test_what_was_written_meanwhile_is_not_hidden_by_a_slow_reader(yard: Yard) -> None:
    """The write is over before the answer that does not know of it is there."""
    begun, ended = Event(), Event()

    def slow(fill: Any) -> Any:
        found = fill()
        begun.set()
        ended.wait(5)
        return found

    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(1) as pool:
        from api.posts import handlers

        part = handlers._part
        patch.setattr(handlers, "_part", lambda *a, **k: slow(lambda: part(*a, **k)))
        reader = pool.submit(yard.shown)
        assert begun.wait(5)
        yard.client.post(POSTS, json=POST | {"title": "newest"}, headers=yard.ada.auth)
        ended.set()
        assert reader.result() == "old"

    assert yard.shown() == "newest"


def test_each_answer_is_charged_for(environment: dict[str, str], clean: None) -> None:
    with app_with(environment, RATE_LIMIT_SCALE="0.1") as app, client_of(app) as client:
        answers = [client.get(POSTS) for _ in range(9)]
        answers.append(client.get(f"{POSTS}?x=1"))  # by the long road, which knows of the others
        refused = [client.get(POSTS), client.get(POSTS)]

    assert [answer.status_code for answer in answers] == [200] * 9 + [400]
    assert [int(a.headers["X-RateLimit-Remaining"]) for a in answers] == list(range(9, -1, -1))
    assert [answer.status_code for answer in refused] == [429, 429]
    assert int(refused[0].headers["Retry-After"]) > 0


def test_who_was_never_seen_is_charged_too(environment: dict[str, str], clean: None) -> None:
    """The answer is kept, and nobody knows yet how the bucket of this address stands."""
    with app_with(environment, TRUSTED_PROXY_HOPS="1") as app, client_of(app) as client:
        addresses = ["192.0.2.1", "192.0.2.2", "192.0.2.2"]
        answers = [client.get(POSTS, headers={"X-Forwarded-For": ip}) for ip in addresses]

    assert [int(a.headers["X-RateLimit-Remaining"]) for a in answers] == [99, 99, 98]


def test_the_charges_reach_the_other_processes(
    environment: dict[str, str], clean: None, redis: Redis
) -> None:
    few = {"RATE_LIMIT_SCALE": "0.1"}
    with app_with(environment, **few) as one, app_with(environment, **few) as two:
        with client_of(one) as client, client_of(two) as other:
            assert {client.get(POSTS).status_code for _ in range(10)} == {200}
            until(lambda: b"10" in map(redis.get, redis.scan_iter("*limit:anonymous*")))
            assert other.get(POSTS).status_code == 429


def test_many_at_once_ask_once(yard: Yard, query: Query) -> None:
    changes.note("posts:list")
    yard.redis.flushdb()
    with pytest.MonkeyPatch.context() as patch:
        from api.posts import handlers

        asked, part = [], handlers._part

        def counted(*args: Any, **given: Any) -> Any:
            asked.append(args)
            return part(*args, **given)

        patch.setattr(handlers, "_part", counted)
        answers = at_once(30, lambda _: yard.client.get(POSTS))

    assert {answer.status_code for answer in answers} == {200}
    assert len(asked) == 1


def test_what_is_kept_is_bounded(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that nobody asked for any more goes first."""
    size = len(yard.client.get(POSTS).content)
    monkeypatch.setattr(kept, "MOST", 3 * size)
    paths = [POSTS, f"{POSTS}?size=1", f"{POSTS}?size=2", f"{POSTS}?size=3"]
    for path in paths:
        yard.shown(path)
        yard.shown(POSTS)
    yard.change_secretly("new")

    assert [yard.shown(path) for path in (POSTS, paths[3], paths[1])] == ["old", "old", "new"]


def test_what_is_large_is_not_kept(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "LARGEST", 10)
    changes.note("posts:list")
    assert yard.shown() == "old"
    yard.change_secretly("new")

    assert yard.shown() == "new"
