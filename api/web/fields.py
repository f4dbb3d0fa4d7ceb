"""How values of every resource look on the wire."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from operator import attrgetter, itemgetter
from typing import Any

from marshmallow import Schema, fields


class Timestamp(fields.Field[datetime]):
    """RFC 3339 in UTC with microseconds and ``Z``."""

    def _serialize(self, value: datetime | None, *_: Any, **__: Any) -> str | None:
        return timestamp(value) if value else None


def timestamp(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


class Answer(Schema):
    """Of rows of values, or of objects, read by a function that is made once for all that have the same fields.

    What is nested stands in the same row: ``author_id``. marshmallow would ask anew for each value of each row what
    is to be done with it.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._readers: dict[tuple[str, ...] | None, Read] = {None: _reader(self, None)}

    def dump(self, obj: Any, *, many: bool | None = None) -> Any:
        if many:
            return list(map(self._reader(obj[0]), obj)) if obj else []
        return self._reader(obj)(obj)

    def _reader(self, row: Any) -> Read:
        names: tuple[str, ...] | None = getattr(row, "_fields", None)
        if names not in self._readers:
            self._readers[names] = _reader(self, names)
        return self._readers[names]


Read = Callable[[Any], Any]


def _easy(value: datetime) -> datetime | str:
    """Most times are written by orjson, which takes a tenth; not those that it would leave the microseconds out of."""
    return value if value.tzinfo is UTC and value.microsecond else timestamp(value)


CONVERTED: dict[type[fields.Field[Any]], Read | None] = {
    fields.UUID: None,
    fields.String: None,
    fields.Integer: None,
    fields.Boolean: None,
    Timestamp: _easy,
}
"""What a value that is not null becomes for ``api.infra.json``; none where it is as it should be."""


def _reader(schema: Schema, places: tuple[str, ...] | None, prefix: str = "") -> Read:
    """Of rows whose values have these *places*, or of objects; they have two values at least."""

    def getter(*names: str) -> Callable[[Any], Any]:
        return itemgetter(*map(places.index, names)) if places else attrgetter(*names)

    own = {n: f for n, f in schema.dump_fields.items() if not isinstance(f, fields.Nested)}
    values = getter(*(prefix + name for name in own))
    converted = list(_converted(own))
    nested = [
        (name, getter(f"{prefix}{name}_id"), _reader(field.schema, places, f"{prefix}{name}_"))
        for name, field in schema.dump_fields.items()
        if isinstance(field, fields.Nested)
    ]

    def read(row: Any) -> dict[str, Any]:
        found = dict(zip(own, values(row), strict=True))
        for name, convert in converted:
            if found[name] is not None:
                found[name] = convert(found[name])
        for name, key, of in nested:
            found[name] = None if key(row) is None else of(row)
        return found

    return read


def _converted(known: dict[str, fields.Field[Any]]) -> Iterator[tuple[str, Read]]:
    """Raises ``KeyError`` for a kind of field that nobody has said anything about."""
    for name, field in known.items():
        if convert := CONVERTED[type(field)]:
            yield name, convert
