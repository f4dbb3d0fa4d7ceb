"""Every statement about posts. Authors are loaded with their posts, in one statement."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, TypeVar, cast
from uuid import UUID

from sqlalchemy import (
    Column,
    ColumnElement,
    Row,
    Select,
    Table,
    Update,
    bindparam,
    case,
    func,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Bundle, Session

from api.infra.ids import new_id
from api.infra.paging import Order, Part, Window, count, within
from api.models import Post, PostTotal, User
from api.models.post_total import SHARDS
from api.posts.search import Search

T = TypeVar("T", bound=tuple[object, ...])

Shown = Row[Any]
"""Of ``SHOWN``."""
_POSTS, _USERS, _TOTALS = (cast(Table, model.__table__) for model in (Post, User, PostTotal))
_SEEN = (
    *("id", "title", "body", "is_published", "published_at"),
    *("comment_count", "created_at", "updated_at", "version"),
)


def _shown(columns: Any) -> Bundle[Any]:
    author: Bundle[Any] = Bundle("author", User.id, User.username)
    return Bundle("post", *(columns[name] for name in _SEEN), author)


SHOWN = _shown(_POSTS.c)
"""What readers see of a post, and its version: values, of which the ORM keeps no copies to compare."""

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


def _show(statement: Select[tuple[Any]]) -> Select[tuple[Any]]:
    return statement.with_only_columns(SHOWN).join(User, User.id == Post.author_id)


# Statements that are asked over and over are put together once: that would take as long as running them.
@cache
def _by_id(visible: ColumnElement[bool]) -> Select[tuple[Any]]:
    return _show(select(Post.id)).where(Post.id == bindparam("sought"), visible)


def by_id(
    session: Session, post_id: UUID, visible: ColumnElement[bool], reader: UUID | None
) -> Shown | None:
    """*visible*: what the parameter ``reader`` may know of; one for all, and not made for each question."""
    values = {"sought": post_id, "reader": reader}
    return session.execute(_by_id(visible), values).scalar_one_or_none()


_NEW = (
    insert(_POSTS)
    .values(
        id=bindparam("new"),
        author_id=bindparam("writer"),
        title=bindparam("name"),
        body=bindparam("text"),
        is_published=bindparam("public"),
        published_at=case((bindparam("public"), func.now())),
    )
    .returning(*(_POSTS.c[name] for name in (*_SEEN, "author_id")))
    .cte("new")
)
_ADD = select(_shown(_NEW.c)).join_from(_NEW, User, User.id == _NEW.c.author_id)


def add(session: Session, writer: UUID, *, title: str, body: str, is_published: bool) -> Shown:
    """Raises ``IntegrityError`` when there is no such writer."""
    values = {"writer": writer, "name": title, "text": body, "public": is_published}
    found: Shown = session.execute(_ADD, {"new": new_id(), **values}).scalar_one()
    return found


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
) -> Part[Shown]:
    """By ``published_at`` or ``created_at``. *are_few*: as many as can be counted."""
    order = Order((getattr(Post, column), Post.id), descending)
    narrowed: Select[tuple[Any]] = wanted.narrow(select(Post.id))
    if wanted.search or (are_few and wanted.has_times):
        # What is wanted is found by its own index; in the order by time it may come last of all posts.
        found = wanted.narrow(select(Post.id))
        if not are_few:
            most = max(MOST_HITS, window.offset + window.size + 1)
            found = order.directed(order.behind(found, window)).limit(most)
        hits = found.cte("hits").prefix_with("MATERIALIZED")
        ids = order.behind(select(Post.id).where(Post.id.in_(select(hits.c.id))), window)
        first = order.directed(ids).limit(window.offset + window.size + 1)
        narrowed = select(Post.id).where(Post.id.in_(first))
    return order.fetch(session, narrowed, window, _show)


def by_relevance(
    session: Session, wanted: Filter, search: Search, window: Window, *, drafts: bool
) -> Part[Shown]:
    """The best of the newest ``MOST_HITS`` first."""
    time = Post.created_at if drafts else Post.published_at
    hits = (
        wanted.narrow(select(Post.id, search.rank.label("rank")))
        .order_by(time.desc(), Post.id.desc())
        .limit(MOST_HITS)
        .subquery()
    )
    statement: Select[tuple[Any]] = select(Post.id).join(hits, hits.c.id == Post.id)
    return Order((hits.c.rank, time, Post.id)).fetch(session, statement, window, _show)


def count_hits(session: Session, wanted: Filter) -> int | None:
    """None for more than ``MOST_HITS``."""
    return count(session, wanted.narrow(select(Post.id)), MOST_HITS)


def count_some(session: Session, wanted: Filter) -> int | None:
    """None for more than can be counted at once."""
    return count(session, wanted.narrow(select(Post.id)))


_PUBLISHED = select(func.sum(PostTotal.published))


def count_published(session: Session) -> int:
    """All of them, by the counter."""
    return int(session.scalar(_PUBLISHED) or 0)


def _add_to(table: Table, counter: Column[int]) -> Update:
    """In one atomic statement; a counter is no change of what people wrote, so time and version stay."""
    return (
        update(table)
        .where(table.c.id == bindparam("row"))
        .values(
            {
                counter: counter + bindparam("more"),
                table.c.updated_at: table.c.updated_at,
                table.c.version: table.c.version,
            }
        )
    )


_ADD_COMMENTS = _add_to(_POSTS, _POSTS.c.comment_count)
_ADD_POSTS = _add_to(_USERS, _USERS.c.post_count)


def add_to_comment_count(session: Session, post_id: UUID, number: int) -> None:
    """The row stays locked, so comments of a post are stored one by one."""
    session.execute(_ADD_COMMENTS, {"row": post_id, "more": number})


def add_to_post_count(session: Session, user_id: UUID, number: int) -> None:
    """And to the total."""
    session.execute(_ADD_POSTS, {"row": user_id, "more": number})
    add_to_total(session, number)


_new_total = insert(_TOTALS).values(shard=bindparam("place"), published=bindparam("more"))
_ADD_TO_TOTAL = _new_total.on_conflict_do_update(
    index_elements=["shard"],
    set_={"published": _TOTALS.c.published + _new_total.excluded.published},
)


def add_to_total(session: Session, number: int) -> None:
    """To any part of the total; to be locked last, and one of them in a transaction."""
    shard = random.randrange(SHARDS)  # noqa: S311 - spreads the writers, guards nothing
    session.execute(_ADD_TO_TOTAL, {"place": shard, "more": number})
