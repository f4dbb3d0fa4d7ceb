"""What many do to one post at once: no orphan, no wrong count, no fault of the service."""

from __future__ import annotations

from collections.abc import Callable

from starlette.testclient import TestClient

from tests.auth.flows import at_once
from tests.people import Person

API = "/api/v1"
POST = {"title": "t", "body": "b", "is_published": True}
ROUNDS = 10
CALLS = 6
Query = Callable[..., list[tuple[object, ...]]]


def write(client: TestClient, author: Person) -> str:
    return str(client.post(f"{API}/posts", json=POST, headers=author.auth).headers["Location"])


def test_commenting_on_a_post_that_is_being_deleted(
    client: TestClient, ada: Person, query: Query, fresh_limits: Callable[[], None]
) -> None:
    for _ in range(ROUNDS):
        fresh_limits()
        post = write(client, ada)

        def act(number: int, post: str = post) -> int:
            if number == 0:
                return client.delete(post, headers=ada.auth).status_code
            answer = client.post(f"{post}/comments", json={"body": "b"}, headers=ada.auth)
            return answer.status_code

        deleted, *commented = at_once(CALLS, act)

        assert deleted == 204
        assert set(commented) <= {201, 404}
    assert query("SELECT count(*) FROM comments") == [(0,)]


def test_the_count_equals_the_rows(
    client: TestClient, ada: Person, query: Query, fresh_limits: Callable[[], None]
) -> None:
    post = write(client, ada)
    for _ in range(ROUNDS):
        fresh_limits()
        answers = at_once(
            3, lambda _: client.post(f"{post}/comments", json={"body": "b"}, headers=ada.auth)
        )
        [first, *_] = [answer.headers["Location"] for answer in answers]

        def remove(_: int, url: str = first) -> int:
            return client.delete(url, headers=ada.auth).status_code

        assert sorted(at_once(3, remove)) == [204, 404, 404]
    [(rows,)] = query("SELECT count(*) FROM comments")
    assert client.get(post).json()["data"]["comment_count"] == rows == 2 * ROUNDS
