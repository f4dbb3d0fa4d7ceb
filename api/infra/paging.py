"""Parts of a list: by number, or by the key of the last row that was seen.

A part by key costs the same at any depth, and nothing that stays is skipped or repeated while others
come and go (keyset pagination).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Generic, NamedTuple, TypeVar

from sqlalchemy import ColumnElement, Row, Select, bindparam, func, literal_column, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from api.infra.db import core

T = TypeVar("T")
R = TypeVar("R", bound=tuple[object, ...])

MOST_COUNTED = 10_000
"""What can be reached by numbered pages: 100 of 100."""

Key = tuple[Any, ...]
"""The values of the columns by which a list is ordered."""


class Form(NamedTuple):
    """What a statement has to know of a ``Window``, of which the rest are its parameters."""

    has_offset: bool
    is_behind: bool


@dataclass(frozen=True, slots=True)
class Window:
    """Which part is wanted: *size* rows from *offset* on, or behind the row *after*."""

    size: int
    offset: int = 0
    after: Key | None = None
    """Empty at the beginning of a walk; none where pages are numbered."""

    @property
    def is_numbered(self) -> bool:
        return self.after is None

    @property
    def form(self) -> Form:
        return Form(bool(self.offset), bool(self.after))

    @property
    def values(self) -> dict[str, Any]:
        """The parameters of ``Order.windowed``."""
        key = {f"behind_{place}": value for place, value in enumerate(self.after or ())}
        return {"most": self.size + 1, "passed": self.offset, **key}


@dataclass(frozen=True, slots=True)
class Part(Generic[T]):
    items: Sequence[T]
    end: Key | None
    """The key of the last item if more follow."""
    total: int | None = None
    """How many there are in all; none in a walk, or where there are too many to count."""


def _as_it_is(statement: Select[R]) -> Select[R]:
    return statement


@dataclass(frozen=True, slots=True)
class Order:
    """By these columns; the last one alone is unique."""

    columns: tuple[ColumnElement[Any] | InstrumentedAttribute[Any], ...]
    descending: bool = True

    def fetch(
        self,
        session: Session,
        statement: Select[tuple[T]],
        window: Window,
        show: Callable[[Select[tuple[T]]], Select[Any]] = _as_it_is,
    ) -> Part[T]:
        """Of entities. *show*: what is read of each, once it is found."""
        found = self.windowed(statement, window.form, show).add_columns(*self.columns)
        rows = session.execute(found, window.values).all()
        wanted = rows[: window.size]
        end = tuple(wanted[-1][1:]) if len(rows) > window.size else None
        return Part([row[0] for row in wanted], end)

    def windowed(
        self, statement: Select[R], form: Form, show: Callable[[Select[R]], Select[Any]]
    ) -> Select[Any]:
        """One row more than wanted; the parameters are ``Window.values``."""
        if form.has_offset:
            # What is passed over is counted off in the index, and only what is wanted is read.
            key = self.columns[-1]
            passed = self.directed(statement.with_only_columns(key)).offset(bindparam("passed"))
            statement = statement.where(key.in_(passed.limit(bindparam("most"))))
        statement = self.behind(statement, form)
        return self.directed(show(statement)).limit(bindparam("most"))

    def part(self, rows: Sequence[Row[Any]], window: Window) -> Part[Row[Any]]:
        """What ``windowed`` found, of values with those of the key among them."""
        wanted = rows[: window.size]
        if len(rows) <= window.size:
            return Part(wanted, None)
        return Part(wanted, tuple(getattr(wanted[-1], str(each.key)) for each in self.columns))

    def behind(self, statement: Select[R], form: Form) -> Select[R]:
        """What comes after the key that the window names."""
        if not form.is_behind:
            return statement
        key = (bindparam(f"behind_{n}", type_=each.type) for n, each in enumerate(self.columns))
        here, last = tuple_(*self.columns), tuple_(*key)
        return statement.where(here < last if self.descending else here > last)

    def directed(self, statement: Select[R]) -> Select[R]:
        directed = (column.desc() if self.descending else column.asc() for column in self.columns)
        return statement.order_by(*directed)


def counted(
    session: Session,
    part: Part[T],
    statement: Select[Any],
    window: Window,
    most: int = MOST_COUNTED,
) -> Part[T]:
    """With its total, which a walk does not need."""
    return replace(part, total=count(session, statement, most)) if window.is_numbered else part


def count(session: Session, statement: Select[Any], most: int = MOST_COUNTED) -> int | None:
    """How many rows there are; none for more than *most*, since counting takes longer the more they are."""
    found = core(session).scalar(bounded_count(statement, most)) or 0
    return found if found <= most else None


def bounded_count(statement: Select[Any], most: int) -> Select[tuple[int]]:
    """Up to one more than *most*."""
    bounded = (
        statement.with_only_columns(literal_column("1"), maintain_column_froms=True)
        .limit(most + 1)
        .subquery()
    )
    return select(func.count()).select_from(bounded)


def within(
    statement: Select[R],
    column: InstrumentedAttribute[datetime],
    after: datetime | None,
    before: datetime | None,
) -> Select[R]:
    """Later than *after* and earlier than *before*."""
    if after is not None:
        statement = statement.where(column > after)
    return statement if before is None else statement.where(column < before)
