"""Posts by the dozen or the thousand, stored as the service would have left them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from redis import Redis
from starlette.testclient import TestClient

from api.infra.ids import new_id
from tests.memory import forget_all
from tests.people import Person

POSTS = "/api/v1/posts"
POST = """
INSERT INTO posts (id, author_id, title, body, is_published, published_at, created_at, updated_at)
VALUES (:id, :author, :title, :body, :is_published,
    CASE WHEN :is_published THEN CAST(:published AS timestamptz) END, :created, :created)
"""
MANY = """
INSERT INTO posts (id, author_id, title, body, is_published, published_at, created_at)
SELECT gen_random_uuid(), :author, 'post ' || number, :body, true, moment, moment
FROM generate_series(1, :number) number,
    LATERAL (SELECT now() - number * interval '1 second' AS moment) moments
"""
COUNTERS = """
UPDATE users SET post_count = (
    SELECT count(*) FROM posts WHERE author_id = users.id AND is_published
);
DELETE FROM post_totals;
INSERT INTO post_totals SELECT 0, count(*) FROM posts WHERE is_published
"""


@dataclass(frozen=True)
class Shelf:
    query: Callable[..., object]
    redis: Redis

    def put(
        self,
        author: Person,
        title: str = "t",
        body: str = "b",
        *,
        created: str = "2026-01-05T09:00:00Z",
        published: str | None = None,
        is_draft: bool = False,
    ) -> str:
        """One post, its id. It was published when it was created, if nothing else is said."""
        post = new_id()
        self.query(
            POST,
            id=post,
            author=author.id,
            title=title,
            body=body,
            is_published=not is_draft,
            created=created,
            published=published or created,
        )
        self._counted()
        return str(post)

    def put_many(self, author: Person, number: int, body: str = "b") -> None:
        """Published a second apart, the first one last."""
        self.query(MANY, author=author.id, number=number, body=body)
        self._counted()

    def _counted(self) -> None:
        self.query(COUNTERS)
        forget_all(self.redis)  # what lists were kept, and how much was asked


@pytest.fixture
def shelf(query: Callable[..., object], redis: Redis) -> Shelf:
    return Shelf(query, redis)


def data(
    client: TestClient, path: str = POSTS, who: Person | None = None, **params: Any
) -> dict[str, Any]:
    answer = client.get(path, params=params or None, headers=who.auth if who else {})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["data"]
    return found


def titles(found: dict[str, Any]) -> str:
    return "".join(post["title"] for post in found["items"])


def walk(
    client: TestClient, path: str = POSTS, who: Person | None = None, **params: Any
) -> list[dict[str, Any]]:
    """Everything from an empty cursor on, by ``next`` alone."""
    part = data(client, path, who, **params, cursor="")
    items = part["items"]
    while part["next"]:
        part = data(client, part["next"], who)
        items += part["items"]
    return items
