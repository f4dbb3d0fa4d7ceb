"""Every statement about posts, but for their counters. Authors are loaded with their posts, in one statement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum, auto
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar, cast
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
    null,
    select,
)
from sqlalchemy.orm import Session

from api.infra.db import core
from api.infra.ids import new_id
from api.infra.paging import MOST_COUNTED, Form, Order, Part, Window, bounded_count
from api.models import Post, User
from api.posts import counters, search

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


class Kind(NamedTuple):
    """What a statement has to know of a ``Filter``, of which the rest are its parameters."""

    visible: ColumnElement[bool]
    given: tuple[str, ...]
    terms: search.Forms | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which posts are listed; *visible* says of whom and whether they are published, to *reader*."""

    visible: ColumnElement[bool]
    reader: UUID | None = None
    author_id: UUID | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    search: search.Search | None = None

    @property
    def kind(self) -> Kind:
        given = tuple(name for name in _NARROW if getattr(self, name) is not None)
        return Kind(self.visible, given, self.search.forms if self.search else None)

    @property
    def has_nothing(self) -> bool:
        return not self.kind.given and self.search is None

    @property
    def has_times(self) -> bool:
        return self.created_after is not None or self.created_before is not None

    @property
    def values(self) -> dict[str, Any]:
        """The parameters of ``_narrowed``."""
        given = {name: getattr(self, name) for name in ("reader", *_NARROW)}
        return {**given, **self.search.values} if self.search else given


def _narrowed(statement: Select[T], kind: Kind) -> Select[T]:
    statement = statement.where(kind.visible, *(_NARROW[name] for name in kind.given))
    return statement if kind.terms is None else statement.where(search.condition(kind.terms))


def _among(statement: Select[T], kind: Kind) -> Select[T]:
    """Those of the parameter ``among``, which a search has found."""
    known = _POSTS.c.id == func.any(bindparam("among", type_=ARRAY(Uuid)))
    return _narrowed(statement, kind._replace(terms=None)).where(known)


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
        way = Way.AMONG
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


@lru_cache(256)
def _in_order(kind: Kind, column: str, descending: bool, form: Form, way: Way) -> Select[Any]:
    order = _order(column, descending)
    narrowed = _narrowed(select(_POSTS.c.id), kind)
    if way is Way.AMONG:
        narrowed = _among(select(_POSTS.c.id), kind)
    elif way in (Way.HITS_FIRST, Way.NEWEST_HITS_FIRST):
        narrowed = _found_first(order, narrowed, form, way)
    statement = order.windowed(narrowed, form, _show)
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
    statement, order = _by_relevance(wanted.kind, drafts, window.form, is_known=among is not None)
    return _part(session, order, statement, wanted, window, {"among": list(among or ())})


@lru_cache(256)
def _by_relevance(
    kind: Kind, drafts: bool, form: Form, *, is_known: bool
) -> tuple[Select[Any], Order]:
    time = _POSTS.c.created_at if drafts else _POSTS.c.published_at
    found = select(_POSTS.c.id, search.rank(kind.terms or ()).label("rank"))
    hits = (
        (_among(found, kind) if is_known else _narrowed(found, kind))
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
    given = {**wanted.values, **window.values, **reach, **values}
    return order.part(core(session).execute(statement, given).all(), window)


@dataclass(frozen=True, slots=True)
class Hits:
    total: int | None = None
    """None for more than can be counted, ``MOST_HITS`` of a search."""
    ids: Sequence[UUID] | None = None
    """None for more than ``FEW_HITS``, and where nobody asked for them."""


def hits(session: Session, wanted: Filter) -> Hits:
    """Of a search."""
    if wanted.search and len(wanted.search.terms) > 1:
        ids = core(session).execute(_of_a_rare_term(wanted.kind), wanted.values).scalar_one()
        if ids is not None:
            return Hits(len(ids), ids)
    total, few = core(session).execute(_hits(wanted.kind), wanted.values).one()
    return Hits(total if total <= MOST_HITS else None, few)


@lru_cache(256)
def _of_a_rare_term(kind: Kind) -> Select[Any]:
    """What the first term with few hits finds, and all the others too; null where no term has few.

    Asked for all terms at once, GIN gathers whatever the common ones find, a third of all posts.
    """
    terms, others = kind.terms or (), kind._replace(terms=None)
    few = []
    for place, form in enumerate(terms):
        if form.is_excluded:
            continue
        one = _narrowed(select(_POSTS.c.id), others).where(search.term(place, form))
        found = one.limit(FEW_HITS + 1).cte(f"found_{place}").prefix_with("MATERIALIZED")
        number = select(func.count()).select_from(found).scalar_subquery()
        wanted = _narrowed(select(_POSTS.c.id), kind).where(_POSTS.c.id.in_(select(found.c.id)))
        few.append((number <= FEW_HITS, func.array(wanted.scalar_subquery(), type_=ARRAY(Uuid))))
    return select(case(*few) if few else null())


@lru_cache(256)
def _hits(kind: Kind) -> Select[Any]:
    found = _narrowed(select(_POSTS.c.id), kind).limit(MOST_HITS + 1).subquery()
    number = func.count()
    ids = case((number <= FEW_HITS, func.array_agg(found.c.id)))
    return select(number, ids).select_from(found)


def count_some(session: Session, wanted: Filter) -> int | None:
    """None for more than can be counted at once."""
    found: int = core(session).execute(_count(wanted.kind), wanted.values).scalar_one()
    return found if found <= MOST_COUNTED else None


@lru_cache(256)
def _count(kind: Kind) -> Select[Any]:
    return bounded_count(_narrowed(select(_POSTS.c.id), kind), MOST_COUNTED)
