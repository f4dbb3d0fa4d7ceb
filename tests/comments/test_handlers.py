from __future__ import annotations

from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from tests.people import People, Person

API = "/api/v1"
POST = {"title": "서울에서", "body": "비가 온다", "is_published": True}
Query = Callable[..., list[tuple[object, ...]]]


def write(client: TestClient, author: Person, **changes: object) -> str:
    """A post; its path."""
    answer = client.post(f"{API}/posts", json=POST | changes, headers=author.auth)
    return str(answer.headers["Location"])


def say(client: TestClient, post: str, author: Person, body: str = "좋아요") -> str:
    """A comment; its path."""
    answer = client.post(f"{post}/comments", json={"body": body}, headers=author.auth)
    assert answer.status_code == 201
    return str(answer.headers["Location"])


class TestCreateComment:
    def test_anonymous_is_rejected(self, client: TestClient, ada: Person) -> None:
        post = write(client, ada)

        assert client.post(f"{post}/comments", json={"body": "b"}).status_code == 401

    def test_stores_the_comment_and_counts_it(
        self, client: TestClient, ada: Person, bob: Person
    ) -> None:
        post = write(client, ada)
        before = client.get(post).json()["data"]

        comment = client.get(say(client, post, bob, "Well said")).json()["data"]

        assert comment["body"] == "Well said"
        assert comment["author"] == {"id": str(bob.id), "username": "bob"}
        assert f"{API}/posts/{comment['post_id']}" == post
        after = client.get(post).json()["data"]
        assert after == before | {"comment_count": 1}

    def test_a_draft_takes_comments_of_its_author_alone(
        self, client: TestClient, ada: Person, bob: Person
    ) -> None:
        draft = write(client, ada, is_published=False)
        comment = say(client, draft, ada)

        refused = client.post(f"{draft}/comments", json={"body": "b"}, headers=bob.auth)

        assert refused.status_code == 404
        assert client.get(f"{draft}/comments").status_code == 404
        assert client.get(comment, headers=ada.auth).status_code == 200


class TestGetComment:
    def test_is_seen_by_whoever_sees_its_post(
        self, client: TestClient, ada: Person, bob: Person
    ) -> None:
        published = say(client, write(client, ada), bob, "Well said")
        hidden = say(client, write(client, ada, is_published=False), ada)

        assert client.get(published).json()["data"]["body"] == "Well said"
        assert client.get(hidden, headers=ada.auth).status_code == 200
        for headers in ({}, bob.auth):
            assert client.get(hidden, headers=headers).status_code == 404


class TestListComments:
    def test_oldest_first_in_pages(self, client: TestClient, ada: Person) -> None:
        post = write(client, ada)
        for body in ("one", "two", "three"):
            say(client, post, ada, body)

        first = client.get(f"{post}/comments?size=2").json()["data"]
        second = client.get(first["next"]).json()["data"]

        assert [comment["body"] for comment in first["items"]] == ["one", "two"]
        assert [comment["body"] for comment in second["items"]] == ["three"]
        assert first["total"] == second["total"] == 3

    def test_a_thread_outlives_its_people(
        self, client: TestClient, ada: Person, bob: Person
    ) -> None:
        post = write(client, ada)
        say(client, post, bob, "bye")

        client.delete(f"{API}/users/me", headers=bob.auth)

        [comment] = client.get(f"{post}/comments").json()["data"]["items"]
        assert (comment["author"], comment["body"]) == (None, "bye")
        assert client.get(post).json()["data"]["comment_count"] == 1


class TestUpdateComment:
    def test_is_for_its_author(self, client: TestClient, ada: Person, bob: Person) -> None:
        comment = say(client, write(client, ada), bob)
        change = {"body": "second thoughts"}

        assert client.patch(comment, json=change).status_code == 401
        assert client.patch(comment, json=change, headers=ada.auth).status_code == 403
        answer = client.patch(comment, json=change, headers=bob.auth)

        assert answer.json()["data"]["body"] == "second thoughts"
        assert answer.json()["data"]["updated_at"] > answer.json()["data"]["created_at"]


class TestDeleteComment:
    @pytest.mark.parametrize("role", ["moderator", "admin"])
    def test_is_for_who_keeps_order(
        self, role: str, client: TestClient, people: People, ada: Person, query: Query
    ) -> None:
        post = write(client, ada)
        comment = say(client, post, ada)

        assert client.delete(comment, headers=people("keeper", role=role).auth).status_code == 204

        assert client.get(comment).status_code == 404
        assert client.get(post).json()["data"]["comment_count"] == 0
        assert query("SELECT target_type FROM audit_logs WHERE action = 'sensitive_delete'") == [
            ("comment",)
        ]

    def test_is_for_its_author_and_the_posts_author(
        self, client: TestClient, people: People, ada: Person, bob: Person
    ) -> None:
        post = write(client, ada)
        first, second = say(client, post, bob), say(client, post, bob)

        assert client.delete(first).status_code == 401
        assert client.delete(first, headers=people("eve").auth).status_code == 403
        assert client.delete(first, headers=bob.auth).status_code == 204
        assert client.delete(second, headers=ada.auth).status_code == 204
        assert client.delete(second, headers=ada.auth).status_code == 404
