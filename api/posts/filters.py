"""Which posts are meant: what a statement has to know of that, and its parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Concatenate, NamedTuple, ParamSpec, TypeVar, cast
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Result, Select, Table, Uuid, bindparam, func
from sqlalchemy.orm import Session

from api.infra.db import core
from api.models import Post
from api.posts import search

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T", bound=tuple[object, ...])

POSTS = cast(Table, Post.__table__)
MOST_KNOWN = 3
"""Terms of a search whose statements are kept: of longer ones there are as many as anybody can type."""
_NARROW: dict[str, ColumnElement[bool]] = {
    "author_id": POSTS.c.author_id == bindparam("author_id"),
    "created_after": POSTS.c.created_at > bindparam("created_after"),
    "created_before": POSTS.c.created_at < bindparam("created_before"),
}


class Kind(NamedTuple):
    """What a statement has to know of a ``Filter``, of which the rest are its parameters."""

    visible: ColumnElement[bool]
    given: tuple[str, ...]
    terms: search.Forms | None

    @property
    def is_known(self) -> bool:
        return len(self.terms or ()) <= MOST_KNOWN


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
        return Kind(self.visible, self._given, self.search.forms if self.search else None)

    @property
    def _given(self) -> tuple[str, ...]:
        return tuple(name for name in _NARROW if getattr(self, name) is not None)

    @property
    def has_nothing(self) -> bool:
        return not self._given and self.search is None

    @property
    def has_times(self) -> bool:
        return self.created_after is not None or self.created_before is not None

    @property
    def values(self) -> dict[str, Any]:
        """The parameters of ``narrowed``."""
        given = {name: getattr(self, name) for name in ("reader", *_NARROW)}
        return {**given, **self.search.values} if self.search else given


def narrowed(statement: Select[T], kind: Kind) -> Select[T]:
    statement = statement.where(kind.visible, *(_NARROW[name] for name in kind.given))
    return statement if kind.terms is None else statement.where(search.condition(kind.terms))


def among(statement: Select[T], kind: Kind) -> Select[T]:
    """Those of the parameter ``among``, which a search has found."""
    found = POSTS.c.id == func.any(bindparam("among", type_=ARRAY(Uuid)))
    return narrowed(statement, kind._replace(terms=None)).where(found)


def known(make: Callable[Concatenate[Kind, P], R]) -> Callable[Concatenate[Kind, P], R]:
    """Of a statement that is put together once: that would take as long as running it."""
    kept = cast(Callable[Concatenate[Kind, P], R], lru_cache(128)(make))

    def found(kind: Kind, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return (kept if kind.is_known else make)(kind, *args, **kwargs)

    return found


def ask(
    session: Session, statement: Select[T], wanted: Filter, values: dict[str, Any] | None = None
) -> Result[T]:
    """*values*: more parameters than those of the filter. What is not known is compiled for this once."""
    options = {} if wanted.kind.is_known else {"compiled_cache": None}
    given = {**wanted.values, **(values or {})}
    return core(session).execute(statement, given, execution_options=options)
