"""Which answers are kept, what drops them, and that nothing of one person is ever among them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest
from redis import Redis
from starlette.testclient import TestClient

from tests.auth.flows import Query
from tests.infra.link import CommitTrap, closed_port
from tests.memory import forget_all
from tests.people import People, Person
from tests.web.apps import serving

POSTS, USERS = "/api/v1/posts", "/api/v1/users"


@dataclass
class Yard:
    """Ada has published two posts, one of them commented on, and hidden a third."""

    client: TestClient
    people: People
    ada: Person
    bob: Person
    post: str
    other: str
    draft: str
    comment: str

    def views(self) -> dict[str, Any]:
        """What anybody is told, wherever a post or a person is shown out of the cache."""
        paths = [
            POSTS,
            f"{POSTS}?size=1",
            f"{POSTS}?page=2&size=1",
            f"{POSTS}?cursor=",
            f"{POSTS}?sort=created_at",
            f"{POSTS}?q=title",
            f"{POSTS}?author_id={self.ada.id}",
            f"{USERS}/{self.ada.id}/posts",
            f"{USERS}/{self.ada.id}",
            f"{USERS}/{self.bob.id}",
        ]
        return {path: self.client.get(path).json().get("data") for path in paths}

    def admin(self) -> Person:
        return self.people("root", role="admin")

    def send(self, method: str, path: str, who: Person, body: Any = None) -> None:
        answer = self.client.request(method, path, headers=who.auth, json=body)
        assert answer.status_code < 300, answer.text


@pytest.fixture
def yard(client: TestClient, people: People, ada: Person, bob: Person) -> Yard:
    def write(path: str, who: Person, **body: Any) -> str:
        return client.post(path, json=body, headers=who.auth).headers["Location"]

    post = write(POSTS, ada, title="title", body="b", is_published=True)
    other = write(POSTS, ada, title="title 2", body="b", is_published=True)
    draft = write(POSTS, ada, title="title of a draft", body="b")
    comment = write(f"{post}/comments", bob, body="c")
    return Yard(client, people, ada, bob, post, other, draft, comment)


def refused(answer: Any) -> None:
    assert 400 <= answer.status_code < 500


def block_and_unblock(yard: Yard) -> None:
    root, path = yard.admin(), f"/api/v1/admin/users/{yard.ada.id}"
    yard.send("POST", f"{path}/block", root, {"reason": "r"})
    yard.send("POST", f"{path}/unblock", root)


Write = Callable[[Yard], None]
NEW = {"title": "title 3", "body": "b"}
CHANGES: dict[str, Write] = {
    "publish a new one": lambda y: y.send("POST", POSTS, y.bob, NEW | {"is_published": True}),
    "publish a draft": lambda y: y.send("PATCH", y.draft, y.ada, {"is_published": True}),
    "hide": lambda y: y.send("PATCH", y.post, y.ada, {"is_published": False}),
    "edit": lambda y: y.send("PATCH", y.post, y.ada, {"title": "title, edited"}),
    "delete": lambda y: y.send("DELETE", y.post, y.ada),
    "delete as a moderator": lambda y: y.send("DELETE", y.post, y.people("mod", role="moderator")),
    "comment": lambda y: y.send("POST", f"{y.post}/comments", y.bob, {"body": "c"}),
    "delete a comment": lambda y: y.send("DELETE", y.comment, y.bob),
    "rename": lambda y: y.send("PATCH", f"{USERS}/me", y.ada, {"username": "ada_lovelace"}),
    "tell of oneself": lambda y: y.send("PATCH", f"{USERS}/me", y.ada, {"bio": "new"}),
    "rename somebody": lambda y: y.send(
        "PATCH", f"{USERS}/{y.ada.id}", y.admin(), {"username": "renamed"}
    ),
    "delete oneself": lambda y: y.send("DELETE", f"{USERS}/me", y.ada),
    "delete somebody": lambda y: y.send("DELETE", f"{USERS}/{y.ada.id}", y.admin()),
}
NO_CHANGES: dict[str, Write] = {
    "write a draft": lambda y: y.send("POST", POSTS, y.ada, NEW),
    "edit a draft": lambda y: y.send("PATCH", y.draft, y.ada, {"title": "title, edited"}),
    "delete a draft": lambda y: y.send("DELETE", y.draft, y.ada),
    "edit a comment": lambda y: y.send("PATCH", y.comment, y.bob, {"body": "edited"}),
    "be refused": lambda y: refused(y.client.delete(y.post, headers=y.bob.auth)),
    "take a name that is taken": lambda y: refused(
        y.client.patch(f"{USERS}/me", json={"username": "bob"}, headers=y.ada.auth)
    ),
    "block and unblock": block_and_unblock,
}


def kept(redis: Redis) -> dict[str, Any]:
    """Answers by their keys; every value is JSON."""
    found = {key.decode(): redis.get(key) for key in redis.scan_iter("*posts:list:*")}
    found |= {key.decode(): redis.get(key) for key in redis.scan_iter("*user:profile:*")}
    return {k: json.loads(v) for k, v in found.items() if not k.endswith("generation")}  # type: ignore[arg-type]


def words(redis: Redis) -> dict[bytes, Any]:
    return {key: redis.get(key) for key in redis.scan_iter("*generation")}


class TestAWrite:
    @pytest.mark.parametrize("change", CHANGES)
    def test_is_seen_by_the_next_reader(self, yard: Yard, redis: Redis, change: str) -> None:
        before = yard.views()
        assert yard.views() == before

        CHANGES[change](yard)

        after = yard.views()
        forget_all(redis)
        assert after == yard.views()
        assert after != before

    @pytest.mark.parametrize("change", NO_CHANGES)
    def test_that_changes_nothing_others_see_drops_nothing(
        self, yard: Yard, redis: Redis, change: str
    ) -> None:
        before, drawn = yard.views(), words(redis)

        NO_CHANGES[change](yard)

        assert words(redis) == drawn
        forget_all(redis)
        assert yard.views() == before

    def test_is_not_kept_from_readers_without_redis(
        self, environment: dict[str, str], yard: Yard
    ) -> None:
        dead = f"redis://127.0.0.1:{closed_port()}/0"
        with serving(environment, REDIS_URL=dead) as client:
            for number in range(3):
                body = NEW | {"title": f"title {number}", "is_published": True}
                assert client.post(POSTS, json=body, headers=yard.ada.auth).status_code == 201
                assert client.get(POSTS).json()["data"]["items"][0]["title"] == body["title"]
                profile = client.get(f"{USERS}/{yard.ada.id}").json()["data"]
                assert profile["post_count"] == 3 + number


class TestWhatIsKept:
    def test_lists_and_profiles_by_the_names_of_the_documentation(
        self, yard: Yard, redis: Redis
    ) -> None:
        yard.views()

        names = set(kept(redis))
        profiles = {f"user:profile:{who.id}" for who in (yard.ada, yard.bob)}
        lists = names - profiles
        assert len(lists) == 7
        assert profiles < names
        assert "posts:list:page:2:size:1:path=%2Fapi%2Fv1%2Fposts" in lists
        shape = re.compile(r"posts:list:(page:\d+|after:\(\)):size:\d+:path=.+")
        assert [name for name in lists if not shape.fullmatch(name)] == []

    @pytest.mark.parametrize(
        "narrowed",
        ["q=title", "created_after=2026-01-01T00:00:00Z", "created_before=2099-01-01T00:00:00Z"],
    )
    def test_no_list_that_anybody_can_make_up(
        self, yard: Yard, redis: Redis, narrowed: str
    ) -> None:
        """One caller could fill Redis with them, and push out what limits have counted."""
        yard.client.get(f"{POSTS}?{narrowed}")
        yard.client.get(f"{POSTS}?{narrowed}&cursor=")

        assert kept(redis) == {}

    def test_nothing_large(self, yard: Yard, redis: Redis) -> None:
        for _ in range(4):
            yard.send(
                "POST", POSTS, yard.ada, {"title": "t", "body": "가" * 20_000, "is_published": True}
            )

        for _ in range(2):
            assert len(yard.client.get(POSTS).json()["data"]["items"]) == 6

        assert kept(redis) == {}

    def test_for_as_long_as_the_contract_says(self, yard: Yard, redis: Redis) -> None:
        yard.views()

        for key in kept(redis):
            low, high = (270, 330) if "user:profile" in key else (54, 66)
            assert low - 5 <= int(redis.ttl(key)) <= high, key  # type: ignore[arg-type]

    @pytest.mark.parametrize("path", [f"{POSTS}?size=1", "the profile"])
    def test_the_second_answer_is_the_first_one_again(
        self, yard: Yard, query: Query, path: str
    ) -> None:
        path = path if path.startswith("/") else f"{USERS}/{yard.ada.id}"
        first = yard.client.get(path)
        query("UPDATE posts SET title = 'unnoticed'; UPDATE users SET bio = 'unnoticed'")

        again = yard.client.get(path, headers=yard.bob.auth)

        assert again.content == first.content
        assert again.headers.get("Link") == first.headers.get("Link")
        assert again.headers["Cache-Control"] == "no-store"

    def test_one_spelling_of_the_defaults_is_enough(self, yard: Yard, redis: Redis) -> None:
        for query in ("", "?page=1", "?size=20", "?size=20&page=1"):
            yard.client.get(POSTS + query)

        assert len(kept(redis)) == 1


class TestOnePersonsOwn:
    """Seen from outside, and in Redis."""

    def test_drafts_are_never_kept_and_in_nobody_elses_list(self, yard: Yard, redis: Redis) -> None:
        path = f"{POSTS}?is_published=false"
        own = yard.client.get(path, headers=yard.ada.auth).json()["data"]
        assert [post["title"] for post in own["items"]] == ["title of a draft"]
        assert yard.client.get(yard.draft, headers=yard.ada.auth).status_code == 200
        assert kept(redis) == {}

        for headers in (yard.bob.auth, yard.admin().auth, {}):
            assert yard.client.get(path, headers=headers).json()["data"]["items"] == []
            assert yard.client.get(yard.draft, headers=headers).status_code == 404

    def test_an_account_is_neither_kept_nor_shown_to_others(self, yard: Yard, redis: Redis) -> None:
        path, root = f"{USERS}/{yard.ada.id}", yard.admin()
        views = {"ada": yard.ada.auth, "root": root.auth, "bob": yard.bob.auth, "nobody": {}}
        for order in (("ada", "root"), ("bob", "ada", "nobody", "root", "bob", "ada")):
            for name in order:
                account = yard.client.get(path, headers=views[name]).json()["data"]
                assert ("email" in account) is (name in ("ada", "root")), name
            assert bool(kept(redis)) is (order[0] == "bob")

    def test_nothing_in_redis_tells_of_a_draft_or_an_address(
        self, yard: Yard, redis: Redis
    ) -> None:
        root = yard.admin()
        for who in (yard.ada, yard.bob, root):
            paths = ("/users/me", "/users", f"/users/{yard.ada.id}", f"/users/{yard.ada.id}/posts")
            lists = ("/posts", "/posts?is_published=false", "/posts?q=title", "/admin/users")
            for path in (*paths, *lists):
                yard.client.get(f"/api/v1{path}", headers=who.auth)
            for url in (yard.post, yard.draft, f"{yard.draft}/comments"):
                yard.client.get(url, headers=who.auth)

        found = json.dumps(kept(redis))
        assert "title 2" in found
        assert not [secret for secret in ("draft", "@", "email", "role") if secret in found]


class TestRefusals:
    @pytest.mark.parametrize("path", ["{}", "{}/posts"])
    def test_who_was_not_there_is_found_at_once(
        self, client: TestClient, redis: Redis, query: Query, path: str
    ) -> None:
        new: UUID = uuid4()
        url = f"{USERS}/{path.format(new)}"
        assert client.get(url).status_code == 404
        assert kept(redis) == {}

        query(
            "INSERT INTO users (id, email, username, password_hash) VALUES (:id, 'e@e.ee', 'eve', '!')",
            id=new,
        )

        assert client.get(url).status_code == 200

    @pytest.mark.parametrize("query", ["?colour=red", "?page=0", "?page=1&page=2", "?cursor=x"])
    def test_a_refused_query_leaves_nothing(
        self, client: TestClient, redis: Redis, query: str
    ) -> None:
        assert client.get(POSTS + query).status_code in (400, 404)
        assert kept(redis) == {}

    def test_headers_change_neither_answer_nor_key(self, yard: Yard, redis: Redis) -> None:
        path = f"{POSTS}?size=1"
        for name in ("X-Forwarded-Host", "X-Forwarded-Proto", "X-Original-URL", "Accept-Language"):
            forget_all(redis)
            odd = yard.client.get(path, headers={name: "evil.example"})
            [key] = kept(redis)
            plain = yard.client.get(path)
            assert odd.content == plain.content
            assert "evil" not in key + plain.text + plain.headers["Link"]
            assert len(kept(redis)) == 1


@pytest.mark.slow
def test_a_write_whose_commit_nobody_heard_of_is_seen(
    environment: dict[str, str], yard: Yard, query: Query
) -> None:
    """PostgreSQL has committed, the connection broke before it could say so."""
    address = urlsplit(environment["DATABASE_URL"])
    trap = CommitTrap(address.hostname or "", address.port or 5432)
    netloc = f"{address.netloc.rpartition('@')[0]}@127.0.0.1:{trap.port}"
    behind = environment | {"DATABASE_URL": address._replace(netloc=netloc).geturl()}
    with serving(behind) as client, ThreadPoolExecutor(1) as pool:
        for _ in range(2):
            assert len(client.get(POSTS).json()["data"]["items"]) == 2
        trap.armed.set()
        hide = {"is_published": False}
        answer = pool.submit(client.patch, yard.post, json=hide, headers=yard.ada.auth)
        assert trap.sprung.wait(10)
        trap.cut()
        assert answer.result(20).status_code == 503
        trap.armed.clear()
        trap.mend()

        titles = [item["title"] for item in client.get(POSTS).json()["data"]["items"]]

    assert query("SELECT count(*) FROM posts WHERE is_published") == [(len(titles),)]
    assert "title" not in titles
    trap.cut()
