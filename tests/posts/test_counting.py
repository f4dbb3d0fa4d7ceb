"""A new post is counted, if it is published, in the statement that adds it, which locks in the order of everybody."""

from __future__ import annotations

from threading import Thread

from sqlalchemy import text
from starlette.testclient import TestClient

from api.app import App
from api.infra.db import db
from api.models.post_total import SHARDS
from tests.infra.outages import Query
from tests.people import Person
from tests.waiting import until

POSTS = "/api/v1/posts"
POST = {"title": "t", "body": "b", "is_published": True}
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


def counts(query: Query) -> list[tuple[object, ...]]:
    return query(
        "SELECT (SELECT sum(post_count) FROM users), (SELECT coalesce(sum(published), 0) FROM post_totals)"
    )


def test_a_draft_is_not_counted(client: TestClient, ada: Person, query: Query) -> None:
    client.post(POSTS, json=POST | {"is_published": False}, headers=ada.auth)
    assert counts(query) == [(0, 0)]

    client.post(POSTS, json=POST, headers=ada.auth)
    assert counts(query) == [(1, 1)]


def test_the_total_is_locked_last(app: App, client: TestClient, ada: Person, query: Query) -> None:
    """Whoever waits for the person holds no part of the total, for which others would wait."""
    query(f"INSERT INTO post_totals (shard, published) SELECT generate_series(0, {SHARDS - 1}), 0")
    answers: list[int] = []

    def write() -> None:
        answers.append(client.post(POSTS, json=POST, headers=ada.auth).status_code)

    with app.flask.app_context(), db.engine.connect() as holder:
        holder.execute(text("SELECT 1 FROM users WHERE id = :id FOR UPDATE"), {"id": ada.id})
        writer = Thread(target=write)
        writer.start()
        until(lambda: query(WAITING) == [(1,)])
        query("SELECT shard FROM post_totals FOR UPDATE NOWAIT")
        holder.rollback()
        writer.join()

    assert answers == [201]
    assert counts(query) == [(1, 1)]
