"""Every statement about posts, but for their counters. Authors are loaded with their posts, in one statement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import Enum, auto
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Any, TypeVar, cast
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    Table,
    bindparam,
    case,
    func,
    insert,
    select,
)
from sqlalchemy.orm import Session

from api.infra.db import core
from api.infra.db_prepared import prepared
from api.infra.ids import new_id
from api.infra.paging import Form, Order, Part, Window
from api.models import Post, User
from api.posts import counters, filters, search
from api.posts.filters import POSTS as _POSTS
from api.posts.filters import Filter, Kind, ask, known, narrowed
from api.posts.hits import MOST_HITS

T = TypeVar("T", bound=tuple[object, ...])

Shown = Row[Any]
"""Of ``SHOWN``."""
_USERS = cast(Table, User.__table__)
_SEEN = (
    *("id", "author_id", "title", "body", "is_published", "published_at"),
    *("comment_count", "created_at", "updated_at", "version"),
)


def _shown(columns: Any) -> list[ColumnElement[Any]]:
    return [*(columns[name] for name in _SEEN), _USERS.c.username.label("author_username")]


SHOWN = _shown(_POSTS.c)
"""What readers see of a post, and its version: values, of which the ORM keeps no copies to compare."""


def _show(statement: Select[Any]) -> Select[Any]:
    return statement.with_only_columns(*SHOWN).join(_USERS, _USERS.c.id == _POSTS.c.author_id)


# Statements that are asked over and over are put together once: that would take as long as running them.
@lru_cache(16)
def _by_id(visible: ColumnElement[bool]) -> Select[Any]:
    found = _show(select(_POSTS.c.id))
    return prepared(found.where(_POSTS.c.id == bindparam("sought"), visible))


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
_ADDED = select(*_shown(_NEW.c)).join_from(_NEW, _USERS, _USERS.c.id == _NEW.c.author_id)
_ADD = prepared(_ADDED.add_cte(*counters.of_new(_NEW)))


def add(session: Session, writer: UUID, *, title: str, body: str, is_published: bool) -> Shown:
    """And count it, if it is published. Raises ``IntegrityError`` when there is no such writer."""
    values = {"writer": writer, "name": title, "text": body, "public": is_published}
    given = {"new": new_id(), **values, **counters.to_any_shard(1)}
    return core(session).execute(_ADD, given).one()


def hold(session: Session, post_id: UUID, visible: ColumnElement[bool]) -> Post | None:
    """Locked until the transaction ends."""
    statement = select(Post).where(Post.id == post_id, visible).with_for_update()
    return session.scalar(statement)


def hold_all(session: Session, author_id: UUID) -> None:
    """Locked until the transaction ends."""
    statement = select(Post.id).where(Post.author_id == author_id).order_by(Post.id)
    session.execute(statement.with_for_update())


class Way(Enum):
    """How the rows of a list are found."""

    IN_ORDER = auto()
    """Along the index of the order."""
    COUNTED = auto()
    """The same, and with each row how many there are."""
    AMONG = auto()
    """Among ids that are known."""
    HITS_FIRST = auto()
    """By the index of what is wanted: all of them."""
    NEWEST_HITS_FIRST = auto()
    """The same: so many of the first ones as a search counts."""


def in_order(
    session: Session,
    wanted: Filter,
    window: Window,
    *,
    column: str,
    descending: bool,
    are_few: bool = False,
    among: Sequence[UUID] | None = None,
    has_total: bool = False,
) -> Part[Shown]:
    """By ``published_at`` or ``created_at``.

    *are_few*: as many as can be counted. *among*: what was found already. *has_total*: of all that is published.
    """
    way = Way.COUNTED if has_total else Way.IN_ORDER
    if among is not None:
        way, wanted = Way.AMONG, replace(wanted, search=None)
    elif wanted.search or (are_few and wanted.has_times):
        way = Way.HITS_FIRST if are_few else Way.NEWEST_HITS_FIRST
    statement = _in_order(wanted.kind, column, descending, window.form, way)
    order = _order(column, descending)
    part = _part(session, order, statement, wanted, window, {"among": list(among or ())})
    if not has_total:
        return part
    total = part.items[0].total if part.items else counters.count_published(session)
    return replace(part, total=total)


@cache
def _order(column: str, descending: bool) -> Order:
    return Order((_POSTS.c[column], _POSTS.c.id), descending)


@known
def _in_order(kind: Kind, column: str, descending: bool, form: Form, way: Way) -> Select[Any]:
    order = _order(column, descending)
    found = (filters.among if way is Way.AMONG else narrowed)(select(_POSTS.c.id), kind)
    if way in (Way.HITS_FIRST, Way.NEWEST_HITS_FIRST):
        found = _found_first(order, found, form, way)
    statement = order.windowed(found, form, _show)
    if way is Way.COUNTED:
        return statement.add_columns(counters.PUBLISHED.scalar_subquery().label("total"))
    return statement


def _found_first(order: Order, found: Select[Any], form: Form, way: Way) -> Select[Any]:
    """What is wanted is found by its own index; in the order by time it may come last of all posts."""
    if way is Way.NEWEST_HITS_FIRST:
        found = order.directed(order.behind(found, form)).limit(bindparam("enough"))
    hits = found.cte("hits").prefix_with("MATERIALIZED")
    ids = select(_POSTS.c.id).where(_POSTS.c.id.in_(select(hits.c.id)))
    first = order.directed(order.behind(ids, form)).limit(bindparam("reached"))
    return select(_POSTS.c.id).where(_POSTS.c.id.in_(first))


def by_relevance(
    session: Session,
    wanted: Filter,
    window: Window,
    *,
    drafts: bool,
    among: Sequence[UUID] | None = None,
) -> Part[Shown]:
    """The best of the newest ``MOST_HITS`` of a search first. *among*: what was found already."""
    statement, order = _by_relevance(wanted.kind, drafts, window.form, has_ids=among is not None)
    return _part(session, order, statement, wanted, window, {"among": list(among or ())})


@known
def _by_relevance(
    kind: Kind, drafts: bool, form: Form, *, has_ids: bool
) -> tuple[Select[Any], Order]:
    time = _POSTS.c.created_at if drafts else _POSTS.c.published_at
    found = select(_POSTS.c.id, search.rank(kind.terms or ()).label("rank"))
    hits = (
        (filters.among if has_ids else narrowed)(found, kind)
        .order_by(time.desc(), _POSTS.c.id.desc())
        .limit(MOST_HITS)
        .subquery()
    )
    order = Order((hits.c.rank, time, _POSTS.c.id))
    best = select(_POSTS.c.id).join(hits, hits.c.id == _POSTS.c.id)
    return order.windowed(best, form, _show).add_columns(hits.c.rank), order


def _part(
    session: Session,
    order: Order,
    statement: Select[Any],
    wanted: Filter,
    window: Window,
    values: Mapping[str, Any] = MappingProxyType({}),
) -> Part[Shown]:
    reached = window.offset + window.size + 1
    reach = {"reached": reached, "enough": max(MOST_HITS, reached)}
    rows = ask(session, statement, wanted, {**window.values, **reach, **values}).all()
    return order.part(rows, window)
