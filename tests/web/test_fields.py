"""What the schemas say is what is written, though marshmallow does not write it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import Schema, fields

from api.comments.schemas import CommentSchema
from api.infra.json import dumps, loads
from api.posts.schemas import PostSchema
from api.users.schemas import AccountSchema, UserSchema
from api.web.fields import Answer, Timestamp

VALUES: dict[type, st.SearchStrategy[Any]] = {
    fields.UUID: st.builds(uuid4),
    fields.String: st.text(),
    fields.Integer: st.integers(-(2**53), 2**53),
    fields.Boolean: st.booleans(),
    Timestamp: st.datetimes(
        min_value=datetime(1000, 1, 2),  # noqa: DTZ001 - the strategy adds the zone
        timezones=st.sampled_from(
            [UTC, timezone(timedelta(hours=9)), timezone(timedelta(hours=-3))]
        ),
    ),
}


def rows(schema: Schema) -> st.SearchStrategy[Any]:
    """In which anything may be null, but for the id of something nested that is there."""
    return st.builds(
        SimpleNamespace,
        **{name: st.none() | values(field) for name, field in schema.dump_fields.items()},
    )


def values(field: fields.Field[Any]) -> st.SearchStrategy[Any]:
    if isinstance(field, fields.Nested):
        return st.tuples(rows(field.schema), st.uuids()).map(_with_id)
    return VALUES[type(field)]


def _with_id(drawn: tuple[SimpleNamespace, UUID]) -> SimpleNamespace:
    row, id_ = drawn
    row.id = row.id or id_
    return row


def flat(schema: Schema, row: SimpleNamespace) -> SimpleNamespace:
    """The same as the database gives it: ``author_id`` in place of the ``id`` of ``author``."""
    found = SimpleNamespace()
    for name, field in schema.dump_fields.items():
        value = getattr(row, name)
        if not isinstance(field, fields.Nested):
            setattr(found, name, value)
            continue
        for inner in field.schema.dump_fields:
            setattr(found, f"{name}_{inner}", getattr(value, inner, None))
    return found


@pytest.mark.parametrize("schema", [PostSchema(), CommentSchema(), UserSchema(), AccountSchema()])
def test_answers_are_what_marshmallow_would_write(schema: Answer) -> None:
    @given(st.lists(rows(schema), max_size=3))
    def check(found: list[Any]) -> None:
        wanted = loads(dumps(Schema.dump(schema, found, many=True)))
        values = [flat(schema, row) for row in found]
        assert loads(dumps(schema.dump(values, many=True))) == wanted
        assert loads(dumps([schema.dump(row) for row in values])) == wanted

    check()


def test_a_kind_of_field_that_is_not_known_is_noticed_at_the_start() -> None:
    with pytest.raises(KeyError):
        type("Odd", (Answer,), {"at": fields.Date()})()


def test_times_have_microseconds() -> None:
    assert Timestamp()._serialize(datetime(2026, 1, 2, tzinfo=UTC)) == "2026-01-02T00:00:00.000000Z"
    assert Timestamp()._serialize(None) is None
