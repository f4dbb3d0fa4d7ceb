"""Every statement about posts. Authors are loaded with their posts, in one statement."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, joinedload

from api.infra.paging import Order, Part, Window, count, within
from api.models import Post, PostTotal, User
from api.models.post_total import SHARDS
from api.posts.search import Search

T = TypeVar("T", bound=tuple[object, ...])

MOST_HITS = 1_000
"""Of a search: so many are counted, and the newest so many are put in order of relevance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which posts are listed; *visible* says of whom and whether they are published."""

    visible: ColumnElement[bool]
    author_id: UUID | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    search: Search | None = None

    @property
    def has_nothing(self) -> bool:
        rest = (self.author_id, self.created_after, self.created_before, self.search)
        return all(each is None for each in rest)

    @property
    def has_times(self) -> bool:
        return self.created_after is not None or self.created_before is not None

    def narrow(self, statement: Select[T]) -> Select[T]:
        statement = statement.where(self.visible)
        if self.author_id is not None:
            statement = statement.where(Post.author_id == self.author_id)
        if self.search is not None:
            statement = statement.where(self.search.condition)
        return within(statement, Post.created_at, self.created_after, self.created_before)


def by_id(session: Session, post_id: UUID, visible: ColumnElement[bool]) -> Post | None:
    statement = select(Post).where(Post.id == post_id, visible).options(joinedload(Post.author))
    return session.scalar(statement.execution_options(populate_existing=True))


def hold(session: Session, post_id: UUID, visible: ColumnElement[bool]) -> Post | None:
    """Locked until the transaction ends."""
    statement = select(Post).where(Post.id == post_id, visible).with_for_update()
    return session.scalar(statement)


def hold_all(session: Session, author_id: UUID) -> None:
    """Locked until the transaction ends."""
    statement = select(Post.id).where(Post.author_id == author_id).order_by(Post.id)
    session.execute(statement.with_for_update())


def in_order(
    session: Session,
    wanted: Filter,
    window: Window,
    *,
    column: str,
    descending: bool,
    are_few: bool,
) -> Part[Post]:
    """By ``published_at`` or ``created_at``. *are_few*: as many as can be counted."""
    order = Order((getattr(Post, column), Post.id), descending)
    narrowed = wanted.narrow(select(Post))
    if wanted.search or (are_few and wanted.has_times):
        # What is wanted is found by its own index; in the order by time it may come last of all posts.
        found = wanted.narrow(select(Post.id))
        if not are_few:
            most = max(MOST_HITS, window.offset + window.size + 1)
            found = order.directed(order.behind(found, window)).limit(most)
        hits = found.cte("hits").prefix_with("MATERIALIZED")
        ids = order.behind(select(Post.id).where(Post.id.in_(select(hits.c.id))), window)
        first = order.directed(ids).limit(window.offset + window.size + 1)
        narrowed = select(Post).where(Post.id.in_(first))
    return order.fetch(session, narrowed, window, joinedload(Post.author))


def by_relevance(
    session: Session, wanted: Filter, search: Search, window: Window, *, drafts: bool
) -> Part[Post]:
    """The best of the newest ``MOST_HITS`` first."""
    time = Post.created_at if drafts else Post.published_at
    hits = (
        wanted.narrow(select(Post.id, search.rank.label("rank")))
        .order_by(time.desc(), Post.id.desc())
        .limit(MOST_HITS)
        .subquery()
    )
    statement = select(Post).join(hits, hits.c.id == Post.id)
    return Order((hits.c.rank, time, Post.id)).fetch(
        session, statement, window, joinedload(Post.author)
    )


def count_hits(session: Session, wanted: Filter) -> int | None:
    """None for more than ``MOST_HITS``."""
    return count(session, wanted.narrow(select(Post.id)), MOST_HITS)


def count_some(session: Session, wanted: Filter) -> int | None:
    """None for more than can be counted at once."""
    return count(session, wanted.narrow(select(Post.id)))


def count_published(session: Session) -> int:
    """All of them, by the counter."""
    return int(session.scalar(select(func.sum(PostTotal.published))) or 0)


def add_to_comment_count(session: Session, post_id: UUID, number: int) -> None:
    """As ``add_to_post_count``; the row stays locked, so comments of a post are stored one by one."""
    statement = (
        update(Post)
        .where(Post.id == post_id)
        .values(
            comment_count=Post.comment_count + number,
            updated_at=Post.updated_at,
            version=Post.version,
        )
        .execution_options(synchronize_session=False)
    )
    session.execute(statement)


def add_to_post_count(session: Session, user_id: UUID, number: int) -> None:
    """In one atomic statement; a counter is no change of the account, so ``updated_at`` stays."""
    statement = (
        update(User)
        .where(User.id == user_id)
        .values(
            post_count=User.post_count + number, updated_at=User.updated_at, version=User.version
        )
        .execution_options(synchronize_session=False)
    )
    session.execute(statement)
    add_to_total(session, number)


def add_to_total(session: Session, number: int) -> None:
    """To any part of the total; to be locked last, and one of them in a transaction."""
    shard = random.randrange(SHARDS)  # noqa: S311 - spreads the writers, guards nothing
    statement = insert(PostTotal).values(shard=shard, published=number)
    total = PostTotal.published + statement.excluded.published
    session.execute(
        statement.on_conflict_do_update(index_elements=["shard"], set_={"published": total})
    )
