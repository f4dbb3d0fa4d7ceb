"""How values of every resource look on the wire."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from marshmallow import Schema, fields


class Timestamp(fields.Field[datetime]):
    """RFC 3339 in UTC with microseconds and ``Z``."""

    def _serialize(self, value: datetime | None, *_: Any, **__: Any) -> str | None:
        return timestamp(value) if value else None


def timestamp(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


class Answer(Schema):
    """Of rows, whose attributes are all there: read by functions that are made once.

    marshmallow would ask anew for each value of each row what is to be done with it.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._read = _reader(self)

    def dump(self, obj: Any, *, many: bool | None = None) -> Any:
        return [self._read(each) for each in obj] if many else self._read(obj)


Read = Callable[[Any], Any]
CONVERTED: dict[type[fields.Field[Any]], Read | None] = {
    fields.UUID: str,
    fields.String: None,
    fields.Integer: None,
    fields.Boolean: None,
    Timestamp: timestamp,
}
"""What a value that is not null becomes; none where it is as it should be."""


def _reader(schema: Schema) -> Read:
    parts = [(name, _converted(field)) for name, field in schema.dump_fields.items()]

    def read(row: Any) -> dict[str, Any]:
        found = {}
        for name, convert in parts:
            value = getattr(row, name)
            found[name] = value if value is None or convert is None else convert(value)
        return found

    return read


def _converted(field: fields.Field[Any]) -> Read | None:
    """Raises ``KeyError`` for a kind of field that nobody has said anything about."""
    if isinstance(field, fields.Nested):
        return _reader(field.schema)
    return CONVERTED[type(field)]
