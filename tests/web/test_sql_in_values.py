"""I11: SQL in a value is a value."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from tests.people import Person

API = "/api/v1"
VALUES = [
    "'; DROP TABLE users; --",
    '" OR ""="',
    "' OR '1'='1",
    "1); SELECT pg_sleep(10); --",
    "%s %(title)s {title} $1 :title ?",
    "\\'; DELETE FROM posts; --",
    "E'\\\\x27' || (SELECT password_hash FROM users LIMIT 1)",
]
Query = Callable[..., list[tuple[object, ...]]]


@pytest.mark.parametrize("value", VALUES)
def test_comes_back_as_it_was_sent(
    value: str, client: TestClient, ada: Person, query: Query
) -> None:
    body = {"title": value, "body": value, "is_published": True}
    post = client.post(f"{API}/posts", json=body, headers=ada.auth)
    comment = client.post(
        f"{post.headers['Location']}/comments", json={"body": value}, headers=ada.auth
    )
    me = client.patch(f"{API}/users/me", json={"bio": value}, headers=ada.auth)

    stored = client.get(post.headers["Location"]).json()["data"]
    assert (stored["title"], stored["body"], me.json()["data"]["bio"]) == (value, value, value)
    assert comment.json()["data"]["body"] == value
    assert query("SELECT count(*) FROM users") == [(1,)]


@pytest.mark.parametrize("value", VALUES)
def test_is_refused_where_a_name_or_number_is_due(
    value: str, client: TestClient, ada: Person
) -> None:
    for name in ("page", "size", "author_id", "sort"):
        assert client.get(f"{API}/posts", params={name: value}).status_code == 400
    assert client.get(f"{API}/users", params={"username": value}).status_code == 400
    login = {"email": value, "password": "any password"}
    assert client.post(f"{API}/auth/login", json=login).status_code == 400
