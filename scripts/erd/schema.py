"""What SQLAlchemy knows of the tables, as plain texts in PostgreSQL's words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from api.infra.db import Base

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]  # as SQLAlchemy has it
# For parts of statements, so it is given none.
_DDL: Any = _DIALECT.ddl_compiler(_DIALECT, None)  # type: ignore[arg-type]
_SHORT = {"timestamp with time zone": "timestamptz"}


@dataclass(frozen=True, slots=True)
class Reference:
    name: str
    column: str
    to_table: str
    to_column: str
    on_delete: str
    """In lower case, ``no action`` where nothing is said."""


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    type: str
    is_key: bool
    is_unique: bool
    is_nullable: bool
    default: str | None
    generated: str | None
    collation: str | None


@dataclass(frozen=True, slots=True)
class Index:
    name: str
    parts: tuple[str, ...]
    is_unique: bool
    using: str | None
    where: str | None

    @property
    def definition(self) -> str:
        """As it stands behind ``ON table`` in SQL."""
        using = f"USING {self.using} " if self.using else ""
        where = f" WHERE {self.where}" if self.where else ""
        return f"{using}({', '.join(self.parts)}){where}"


@dataclass(frozen=True, slots=True)
class Table:
    name: str
    note: str
    columns: tuple[Column, ...]
    key: str
    """The name of the primary key."""
    uniques: dict[str, tuple[str, ...]]
    checks: dict[str, str]
    references: tuple[Reference, ...]
    indexes: tuple[Index, ...]


def read(metadata: sa.MetaData) -> list[Table]:
    """Each table behind those that it refers to."""
    notes = {mapper.local_table: mapper.class_.__doc__ for mapper in Base.registry.mappers}
    return [_table(table, notes.get(table) or "") for table in metadata.sorted_tables]


def _table(table: sa.Table, doc: str) -> Table:
    rules = sorted(table.constraints, key=lambda rule: str(rule.name))
    uniques = {
        str(rule.name): tuple(column.name for column in rule.columns)
        for rule in rules
        if isinstance(rule, sa.UniqueConstraint)
    }
    alone = {columns[0] for columns in uniques.values() if len(columns) == 1}
    return Table(
        name=table.name,
        note=" ".join(doc.partition("\n\n")[0].replace("``", "").split()),
        columns=tuple(_column(column, column.name in alone) for column in table.columns),
        key=str(table.primary_key.name),
        uniques=uniques,
        checks={
            str(rule.name): str(rule.sqltext)
            for rule in rules
            if isinstance(rule, sa.CheckConstraint)
        },
        references=tuple(
            _reference(rule) for rule in rules if isinstance(rule, sa.ForeignKeyConstraint)
        ),
        indexes=tuple(_index(index) for index in sorted(table.indexes, key=lambda i: str(i.name))),
    )


def _column(column: sa.Column[Any], is_unique: bool) -> Column:
    collation = getattr(column.type, "collation", None)
    words = column.type.compile(dialect=_DIALECT).partition(" COLLATE ")[0].lower()
    computed = column.computed
    return Column(
        name=column.name,
        type=_SHORT.get(words, words),
        is_key=column.primary_key,
        is_unique=is_unique,
        is_nullable=bool(column.nullable),
        default=None if computed is not None else _default(column),
        generated=None if computed is None else str(computed.sqltext),
        collation=collation,
    )


def _default(column: sa.Column[Any]) -> str | None:
    text: str | None = _DDL.get_column_default_string(column)
    if text and isinstance(column.type, (sa.Integer, sa.Boolean)):
        return text.strip("'")
    return text


def _reference(rule: sa.ForeignKeyConstraint) -> Reference:
    """Of one column to one column; no table here has another kind."""
    [element] = rule.elements
    return Reference(
        name=str(rule.name),
        column=element.parent.name,
        to_table=element.column.table.name,
        to_column=element.column.name,
        on_delete=(rule.ondelete or "no action").lower(),
    )


def _index(index: sa.Index) -> Index:
    options = index.dialect_options["postgresql"]
    where = options["where"]
    return Index(
        name=str(index.name),
        parts=tuple(_part(expression, options["ops"]) for expression in index.expressions),
        is_unique=index.unique,
        using=options["using"] or None,
        where=None if where is None else _sql(where),
    )


def _part(expression: Any, operators: dict[str, str]) -> str:
    operator = operators.get(getattr(expression, "key", None) or "")
    return f"{_sql(expression)} {operator}" if operator else _sql(expression)


def _sql(expression: Any) -> str:
    text = _DDL.sql_compiler.process(expression, include_table=False, literal_binds=True)
    return re.sub(r"\s+", " ", str(text))
