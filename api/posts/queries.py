"""Every statement about posts, but for their counters. Authors are loaded with their posts, in one statement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Any, TypeVar, cast
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Row,
    Select,
    Table,
    Uuid,
    bindparam,
    case,
    func,
    insert,
    select,
)
from sqlalchemy.orm import Session

from api.infra.db import core
from api.infra.ids import new_id
from api.infra.paging import Form, Order, Part, Window, count
from api.models import Post, User
from api.posts.search import Search

T = TypeVar("T", bound=tuple[object, ...])

Shown = Row[Any]
"""Of ``SHOWN``."""
_POSTS, _USERS = (cast(Table, model.__table__) for model in (Post, User))
_SEEN = (
    *("id", "author_id", "title", "body", "is_published", "published_at"),
    *("comment_count", "created_at", "updated_at", "version"),
)


def _shown(columns: Any) -> list[ColumnElement[Any]]:
    return [*(columns[name] for name in _SEEN), _USERS.c.username.label("author_username")]


SHOWN = _shown(_POSTS.c)
"""What readers see of a post, and its version: values, of which the ORM keeps no copies to compare."""

MOST_HITS = 1_000
"""Of a search: so many are counted, and the newest so many are put in order of relevance."""
FEW_HITS = 200
"""So many are remembered from being counted, and not searched for once more."""
_NARROW: dict[str, ColumnElement[bool]] = {
    "author_id": Post.author_id == bindparam("author_id"),
    "created_after": Post.created_at > bindparam("created_after"),
    "created_before": Post.created_at < bindparam("created_before"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which posts are listed; *visible* says of whom and whether they are published, to *reader*."""

    visible: ColumnElement[bool]
    reader: UUID | None = None
    author_id: UUID | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    search: Search | None = None

    @property
    def given(self) -> tuple[str, ...]:
        return tuple(name for name in _NARROW if getattr(self, name) is not None)

    @property
    def has_nothing(self) -> bool:
        return not self.given and self.search is None

    @property
    def has_times(self) -> bool:
        return self.created_after is not None or self.created_before is not None

    @property
    def values(self) -> dict[str, Any]:
        """The parameters of ``narrow``."""
        return {name: getattr(self, name) for name in ("reader", *_NARROW)}

    def narrow(self, statement: Select[T]) -> Select[T]:
        statement = _narrowed(statement, self.visible, self.given)
        return statement if self.search is None else statement.where(self.search.condition)


def _narrowed(
    statement: Select[T], visible: ColumnElement[bool], given: tuple[str, ...]
) -> Select[T]:
    return statement.where(visible, *(_NARROW[name] for name in given))


def _show(statement: Select[Any]) -> Select[Any]:
    return statement.with_only_columns(*SHOWN).join(_USERS, _USERS.c.id == _POSTS.c.author_id)


# Statements that are asked over and over are put together once: that would take as long as running them.
@lru_cache(16)
def _by_id(visible: ColumnElement[bool]) -> Select[Any]:
    return _show(select(_POSTS.c.id)).where(_POSTS.c.id == bindparam("sought"), visible)


def by_id(
    session: Session, post_id: UUID, visible: ColumnElement[bool], reader: UUID | None
) -> Shown | None:
    """*visible*: what the parameter ``reader`` may know of; one for all, and not made for each question."""
    values = {"sought": post_id, "reader": reader}
    return core(session).execute(_by_id(visible), values).one_or_none()


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
    .returning(*(_POSTS.c[name] for name in _SEEN))
    .cte("new")
)
_ADD = select(*_shown(_NEW.c)).join_from(_NEW, _USERS, _USERS.c.id == _NEW.c.author_id)


def add(session: Session, writer: UUID, *, title: str, body: str, is_published: bool) -> Shown:
    """Raises ``IntegrityError`` when there is no such writer."""
    values = {"writer": writer, "name": title, "text": body, "public": is_published}
    return core(session).execute(_ADD, {"new": new_id(), **values}).one()


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
    among: Sequence[UUID] | None = None,
) -> Part[Shown]:
    """By ``published_at`` or ``created_at``. *are_few*: as many as can be counted. *among*: what was found already."""
    order = _order(column, descending)
    if among is not None:
        statement = _in_order(
            wanted.visible, wanted.given, column, descending, window.form, has_ids=True
        )
    elif wanted.search or (are_few and wanted.has_times):
        found = _found_first(order, wanted, window, are_few=are_few)
        statement = order.windowed(found, window.form, _show)
    else:
        statement = _in_order(wanted.visible, wanted.given, column, descending, window.form)
    return _part(session, order, statement, wanted, window, {"among": list(among or ())})


@cache
def _order(column: str, descending: bool) -> Order:
    return Order((_POSTS.c[column], _POSTS.c.id), descending)


@lru_cache(256)
def _in_order(
    visible: ColumnElement[bool],
    given: tuple[str, ...],
    column: str,
    descending: bool,
    form: Form,
    *,
    has_ids: bool = False,
) -> Select[Any]:
    narrowed = _narrowed(select(_POSTS.c.id), visible, given)
    if has_ids:
        narrowed = narrowed.where(_POSTS.c.id == func.any(bindparam("among", type_=ARRAY(Uuid))))
    return _order(column, descending).windowed(narrowed, form, _show)


def _found_first(order: Order, wanted: Filter, window: Window, *, are_few: bool) -> Select[Any]:
    """What is wanted is found by its own index; in the order by time it may come last of all posts."""
    found = wanted.narrow(select(_POSTS.c.id))
    if not are_few:
        most = max(MOST_HITS, window.offset + window.size + 1)
        found = order.directed(order.behind(found, window.form)).limit(most)
    hits = found.cte("hits").prefix_with("MATERIALIZED")
    ids = select(_POSTS.c.id).where(_POSTS.c.id.in_(select(hits.c.id)))
    first = order.directed(order.behind(ids, window.form)).limit(window.offset + window.size + 1)
    return select(_POSTS.c.id).where(_POSTS.c.id.in_(first))


def by_relevance(
    session: Session, wanted: Filter, search: Search, window: Window, *, drafts: bool
) -> Part[Shown]:
    """The best of the newest ``MOST_HITS`` first."""
    time = _POSTS.c.created_at if drafts else _POSTS.c.published_at
    hits = (
        wanted.narrow(select(_POSTS.c.id, search.rank.label("rank")))
        .order_by(time.desc(), _POSTS.c.id.desc())
        .limit(MOST_HITS)
        .subquery()
    )
    order = Order((hits.c.rank, time, _POSTS.c.id))
    best = select(_POSTS.c.id).join(hits, hits.c.id == _POSTS.c.id)
    statement = order.windowed(best, window.form, _show).add_columns(hits.c.rank)
    return _part(session, order, statement, wanted, window)


def _part(
    session: Session,
    order: Order,
    statement: Select[Any],
    wanted: Filter,
    window: Window,
    values: Mapping[str, Any] = MappingProxyType({}),
) -> Part[Shown]:
    rows = core(session).execute(statement, {**wanted.values, **window.values, **values}).all()
    return order.part(rows, window)


@dataclass(frozen=True, slots=True)
class Hits:
    total: int | None = None
    """None for more than can be counted, ``MOST_HITS`` of a search."""
    ids: Sequence[UUID] | None = None
    """None for more than ``FEW_HITS``, and where nobody asked for them."""


def hits(session: Session, wanted: Filter) -> Hits:
    found = wanted.narrow(select(_POSTS.c.id)).limit(MOST_HITS + 1).subquery()
    number = func.count()
    ids = case((number <= FEW_HITS, func.array_agg(found.c.id)))
    total, few = core(session).execute(select(number, ids).select_from(found), wanted.values).one()
    return Hits(total if total <= MOST_HITS else None, few)


def count_some(session: Session, wanted: Filter) -> int | None:
    """None for more than can be counted at once."""
    return count(session, wanted.narrow(select(_POSTS.c.id)), values=wanted.values)
