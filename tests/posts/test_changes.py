from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.people import People, Person

API = "/api/v1"
POST = {"title": "서울에서", "body": "비가 온다", "is_published": True}
Query = Callable[..., list[tuple[object, ...]]]


def write(client: TestClient, author: Person, **changes: object) -> str:
    answer = client.post(f"{API}/posts", json=POST | changes, headers=author.auth)
    return str(answer.headers["Location"])


def account(client: TestClient, person: Person) -> dict[str, Any]:
    found: dict[str, Any] = client.get(f"{API}/users/me", headers=person.auth).json()["data"]
    return found


class TestUpdatePost:
    def test_leaves_what_is_not_named(self, client: TestClient, ada: Person) -> None:
        post = write(client, ada)
        before = client.get(post).json()["data"]

        after = client.patch(post, json={"title": "부산에서"}, headers=ada.auth).json()["data"]

        assert after["updated_at"] > before["updated_at"]
        assert after == before | {"title": "부산에서", "updated_at": after["updated_at"]}

    def test_publishing_and_hiding_again_is_counted(self, client: TestClient, ada: Person) -> None:
        draft = write(client, ada, is_published=False)

        published = client.patch(draft, json={"is_published": True}, headers=ada.auth)
        assert published.json()["data"]["published_at"] is not None
        assert account(client, ada)["post_count"] == 1
        again = client.patch(draft, json={"is_published": True}, headers=ada.auth)
        assert again.json()["data"]["published_at"] == published.json()["data"]["published_at"]

        hidden = client.patch(draft, json={"is_published": False}, headers=ada.auth)
        assert hidden.json()["data"]["published_at"] is None
        assert account(client, ada)["post_count"] == 0
        assert client.get(draft).status_code == 404

    def test_is_for_its_author(
        self, client: TestClient, ada: Person, bob: Person, people: People
    ) -> None:
        post, draft = write(client, ada), write(client, ada, is_published=False)
        change = {"title": "mine now"}

        assert client.patch(post, json=change).status_code == 401
        assert client.patch(post, json=change, headers=bob.auth).status_code == 403
        admin = people("boss_1", role="admin")
        assert client.patch(post, json=change, headers=admin.auth).status_code == 403
        assert client.patch(draft, json=change, headers=bob.auth).status_code == 404
        assert client.get(post).json()["data"]["title"] == POST["title"]


class TestDeletePost:
    def test_takes_its_comments_along(self, client: TestClient, ada: Person) -> None:
        post = write(client, ada)
        comment = client.post(f"{post}/comments", json={"body": "b"}, headers=ada.auth)

        assert client.delete(post, headers=ada.auth).status_code == 204

        assert client.get(post).status_code == 404
        assert client.get(comment.headers["Location"]).status_code == 404
        assert account(client, ada)["post_count"] == 0

    @pytest.mark.parametrize("role", ["moderator", "admin"])
    def test_is_for_who_keeps_order_too(
        self, role: str, client: TestClient, people: People, ada: Person, query: Query
    ) -> None:
        post = write(client, ada)

        assert client.delete(post, headers=people("keeper", role=role).auth).status_code == 204

        rows = query("SELECT target_type FROM audit_logs WHERE action = 'sensitive_delete'")
        assert rows == [("post",)]

    def test_is_not_for_strangers(self, client: TestClient, ada: Person, bob: Person) -> None:
        post, draft = write(client, ada), write(client, ada, is_published=False)

        assert client.delete(post, headers=bob.auth).status_code == 403
        assert client.delete(draft, headers=bob.auth).status_code == 404
        assert client.get(post).status_code == 200


class TestPostsOfOnePerson:
    def test_are_found_by_both_roads(self, client: TestClient, ada: Person, bob: Person) -> None:
        write(client, ada), write(client, bob), write(client, ada, is_published=False)

        by_filter = client.get(f"{API}/posts?author_id={ada.id}").json()["data"]
        by_person = client.get(f"{API}/users/{ada.id}/posts", headers=ada.auth).json()["data"]

        assert by_filter == by_person
        assert by_filter["total"] == 1
        assert by_filter["items"][0]["author"]["username"] == "ada"
