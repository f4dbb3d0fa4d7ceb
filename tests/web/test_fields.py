"""What the schemas say is what is written, though marshmallow does not write it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import Schema, fields

from api.comments.schemas import CommentSchema
from api.posts.schemas import PostSchema
from api.users.schemas import AccountSchema, UserSchema
from api.web.fields import Answer, Timestamp

VALUES: dict[type, st.SearchStrategy[Any]] = {
    fields.UUID: st.builds(uuid4),
    fields.String: st.text(),
    fields.Integer: st.integers(),
    fields.Boolean: st.booleans(),
    Timestamp: st.datetimes(
        min_value=datetime(1000, 1, 2),  # noqa: DTZ001 - the strategy adds the zone
        timezones=st.sampled_from(
            [UTC, timezone(timedelta(hours=9)), timezone(timedelta(hours=-3))]
        ),
    ),
}


def rows(schema: Schema) -> st.SearchStrategy[Any]:
    """In which anything may be null."""
    return st.builds(
        SimpleNamespace,
        **{name: st.none() | values(field) for name, field in schema.dump_fields.items()},
    )


def values(field: fields.Field[Any]) -> st.SearchStrategy[Any]:
    return rows(field.schema) if isinstance(field, fields.Nested) else VALUES[type(field)]


@pytest.mark.parametrize("schema", [PostSchema(), CommentSchema(), UserSchema(), AccountSchema()])
def test_answers_are_what_marshmallow_would_write(schema: Answer) -> None:
    @given(st.lists(rows(schema), max_size=3))
    def check(found: list[Any]) -> None:
        assert schema.dump(found, many=True) == Schema.dump(schema, found, many=True)
        assert [schema.dump(row) for row in found] == Schema.dump(schema, found, many=True)

    check()


def test_a_kind_of_field_that_is_not_known_is_noticed_at_the_start() -> None:
    with pytest.raises(KeyError):
        type("Odd", (Answer,), {"at": fields.Date()})()


def test_times_have_microseconds() -> None:
    assert Timestamp()._serialize(datetime(2026, 1, 2, tzinfo=UTC)) == "2026-01-02T00:00:00.000000Z"
    assert Timestamp()._serialize(None) is None
