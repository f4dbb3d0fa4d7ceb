"""Parts of a list, against rows that the database holds for one statement only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from sqlalchemy import DateTime, Integer, Select, Values, column, select, values
from sqlalchemy.orm import Session

from api.app import App
from api.infra.db import db
from api.infra.paging import MOST_COUNTED, Key, Order, Part, Window, count, counted, within
from api.models import Post, User

NOON = datetime(2026, 1, 5, 12, 0, 0, 1, UTC)
MICROSECOND = timedelta(microseconds=1)
Row = tuple[datetime, int]


class Rows:
    """A list by time, then number: as many rows, and as many at the same time, as a test needs."""

    def __init__(self, session: Session, rows: Sequence[Row]) -> None:
        self.session = session
        self.table: Values = values(
            column("moment", DateTime(timezone=True)), column("number", Integer), name="rows"
        ).data(list(rows))

    @property
    def statement(self) -> Select[tuple[int]]:
        return select(self.table.c.number)

    def part(self, window: Window, *, descending: bool = True) -> Part[int]:
        order = Order((self.table.c.moment, self.table.c.number), descending)
        return order.fetch(self.session, self.statement, window)

    def pages(self, size: int, *, descending: bool) -> Iterator[Part[int]]:
        offset = 0
        while True:
            yield (part := self.part(Window(size, offset), descending=descending))
            if part.end is None:
                return
            offset += size

    def walk(self, size: int, *, descending: bool) -> Iterator[Part[int]]:
        after: Key | None = ()
        while after is not None:
            yield (part := self.part(Window(size, after=after), descending=descending))
            after = part.end


@pytest.fixture(scope="module")
def session(app: App) -> Iterator[Session]:
    with app.flask.app_context():
        yield db.session()


def numbered(session: Session, number: int) -> Rows:
    """Each a microsecond later than the one before."""
    return Rows(session, [(NOON + each * MICROSECOND, each) for each in range(number)])


moments = some.integers(0, 3).map(lambda each: NOON + each * MICROSECOND)
lists = some.lists(
    some.tuples(moments, some.integers(-9, 9)),
    min_size=1,
    max_size=12,
    unique_by=lambda row: row[1],
)


class TestParts:
    @settings(max_examples=60, deadline=None)
    @given(rows=lists, size=some.integers(1, 13), descending=some.booleans())
    def test_put_together_are_the_whole_list_in_order(
        self, session: Session, rows: list[Row], size: int, descending: bool
    ) -> None:
        """Also where many rows have the same time."""
        listed = Rows(session, rows)
        ordered = [number for _, number in sorted(rows, reverse=descending)]

        for way in (listed.pages, listed.walk):
            parts = list(way(size, descending=descending))
            assert [number for part in parts for number in part.items] == ordered
            assert [len(part.items) for part in parts[:-1]] == [size] * (len(parts) - 1)

    def test_end_without_an_empty_one(self, session: Session) -> None:
        listed = numbered(session, 4)

        assert len(list(listed.walk(2, descending=True))) == 2
        assert len(list(listed.pages(2, descending=True))) == 2

    def test_tell_the_key_of_their_last_row_while_more_follow(self, session: Session) -> None:
        listed = numbered(session, 3)

        assert listed.part(Window(2)).end == (NOON + MICROSECOND, 1)
        assert listed.part(Window(3)).end is None
        assert listed.part(Window(2, offset=2)).end is None

    def test_behind_the_last_row_are_empty(self, session: Session) -> None:
        listed = numbered(session, 3)

        assert listed.part(Window(2, offset=3)) == Part([], None)
        assert listed.part(Window(2, after=(NOON, 0))) == Part([], None)

    def test_behind_a_row_that_went_go_on_where_it_was(self, session: Session) -> None:
        rows = [(NOON, 1), (NOON, 3), (NOON + MICROSECOND, 0)]
        listed = Rows(session, rows)

        assert listed.part(Window(9, after=(NOON, 2))).items == [1]
        assert listed.part(Window(9, after=(NOON, 2)), descending=False).items == [3, 0]


class TestTotals:
    def test_are_exact_up_to_the_most_that_is_counted(self, session: Session) -> None:
        listed = numbered(session, 5)

        assert [count(session, listed.statement, most) for most in (6, 5, 4, 0)] == [
            5,
            5,
            None,
            None,
        ]

    def test_of_nothing_are_nothing(self, session: Session) -> None:
        statement = select(Post).where(Post.title == Post.body, Post.title != Post.body)

        assert count(session, statement) == 0

    def test_reach_as_far_as_numbered_pages_do(self) -> None:
        assert MOST_COUNTED == 100 * 100

    def test_count_the_rows_of_a_statement_without_conditions(
        self, session: Session, clean: None
    ) -> None:
        """It names its table by its columns alone, which a count leaves out."""
        assert count(session, select(User)) == 0

    def test_are_left_out_of_a_walk(self, session: Session) -> None:
        listed, part = numbered(session, 5), Part([4], None)

        assert counted(session, part, listed.statement, Window(1)).total == 5
        assert counted(session, part, listed.statement, Window(1, offset=9)).total == 5
        for after in ((), (NOON, 4)):
            assert counted(session, part, listed.statement, Window(1, after=after)).total is None


def test_between_two_moments_is_neither_of_them(session: Session) -> None:
    listed = numbered(session, 5)
    moment: Any = listed.table.c.moment
    first, last = NOON, NOON + 4 * MICROSECOND

    def found(after: datetime | None, before: datetime | None) -> list[int]:
        return list(session.scalars(within(listed.statement, moment, after, before)))

    assert found(None, None) == [0, 1, 2, 3, 4]
    assert found(first, last) == [1, 2, 3]
    assert found(first, None) == [1, 2, 3, 4]
    assert found(None, last) == [0, 1, 2, 3]
    assert found(last, first) == []
