"""A walk by cursor shows everything that stays, once, whatever comes and goes meanwhile."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from threading import Event
from uuid import UUID

import pytest
from sqlalchemy import delete, select, text
from sqlalchemy.orm import Session

from api.app import App
from api.infra.actor import anonymous
from api.infra.db import db
from api.infra.paging import Key, Window
from api.models import Post
from api.posts import service
from tests.people import Person, behind
from tests.waiting import until

Query = Callable[..., list[tuple[object, ...]]]
READER = anonymous("ip", "id")
INSERT = """
INSERT INTO posts (id, author_id, title, body, is_published, published_at, created_at)
SELECT gen_random_uuid(), :author, :title, 'a body', true, moment, moment
FROM (SELECT now() - floor(random() * :moments) * interval '1 second' AS moment
      FROM generate_series(1, :number)) drawn
RETURNING id
"""
"""Some moments are drawn more than once."""
CROWD = (1, 2)
LEAST = 20
"""How often each of them changes something during a walk, at least."""


@pytest.mark.slow
@pytest.mark.parametrize("sort", ["-published_at", "created_at"])
def test_among_a_hundred_thousand(app: App, ada: Person, query: Query, sort: str) -> None:
    query(INSERT, **drawn(ada, "stays", 100_000))
    query("ANALYZE posts")  # as PostgreSQL does by itself a minute later
    finished, changes, parts = Event(), Counter[int](), count(1)

    def has_failed() -> bool:
        return any(each.done() for each in crowd)

    def between() -> None:
        least = min(next(parts), LEAST)
        until(lambda: has_failed() or all(changes[each] >= least for each in CROWD))

    with ThreadPoolExecutor(len(CROWD)) as pool:
        crowd = [pool.submit(come_and_go, app, ada, finished, changes, each) for each in CROWD]
        try:
            seen = walk(app, sort, size=100, between=between)
        finally:
            finished.set()
        for each in crowd:
            each.result()

    stayed = {post_id for [post_id] in query("SELECT id FROM posts WHERE title = 'stays'")}
    assert len(stayed) < 100_000  # some of them went
    assert stayed <= seen.keys()
    assert set(seen.values()) == {1}


@pytest.mark.parametrize("sort", ["-published_at", "published_at", "created_at", "relevance"])
@pytest.mark.parametrize("size", [1, 3, 7])
def test_among_a_few_of_the_same_moments(
    app: App, ada: Person, query: Query, sort: str, size: int
) -> None:
    """Between any two parts, something comes and something goes, until all that may go has gone."""
    query(INSERT, **drawn(ada, "stays", 30, moments=5))
    query(INSERT, **drawn(ada, "goes", 30, moments=5))

    def between() -> None:
        if query(
            "SELECT 1 FROM posts WHERE title = 'goes' LIMIT 1"
        ):  # or who reads slowly never ends
            query(INSERT, **drawn(ada, "comes", 2, moments=5))
        query("DELETE FROM posts WHERE id IN (SELECT id FROM posts WHERE title = 'goes' LIMIT 2)")

    seen = walk(app, sort, size=size, between=between, q="body" if sort == "relevance" else None)

    stayed = {post_id for [post_id] in query("SELECT id FROM posts WHERE title = 'stays'")}
    assert stayed <= seen.keys()
    assert set(seen.values()) == {1}


def walk(
    app: App,
    sort: str,
    *,
    size: int,
    between: Callable[[], None] = lambda: None,
    q: str | None = None,
) -> Counter[UUID]:
    """How often each post was shown."""
    seen: Counter[UUID] = Counter()
    after: Key | None = ()
    while after is not None:
        with app.flask.app_context():
            part = service.listed(
                db.session(), READER, window=Window(size, after=after), sort=sort, q=q
            )
            seen.update(post.id for post in part.items)
            after = part.end
        between()
    return seen


def come_and_go(app: App, ada: Person, finished: Event, changes: Counter[int], me: int) -> None:
    """Posts, until it is finished; how often is counted in *changes*."""
    chance = random.Random(me)
    while not finished.is_set():
        with Session(behind(app.flask)) as session:
            session.execute(text(INSERT), drawn(ada, "comes", 20))
            _go(session, chance)
            session.commit()
        changes[me] += 1


def _go(session: Session, chance: random.Random) -> None:
    from_here = UUID(int=chance.getrandbits(128))
    some = select(Post.id).where(Post.id > from_here).limit(20).with_for_update(skip_locked=True)
    gone = delete(Post).where(Post.id.in_(some))
    session.execute(gone.execution_options(synchronize_session=False))


def drawn(author: Person, title: str, number: int, moments: int = 50_000) -> dict[str, object]:
    return {"author": author.id, "title": title, "number": number, "moments": moments}
