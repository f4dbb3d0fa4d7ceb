"""Tables in the Database Markup Language, https://dbml.dbdiagram.io/docs."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.erd.schema import Column, Index, Reference, Table

HEAD = """\
// Made from api/models by `python -m scripts.erd`; not to be edited.

Project madang {
  database_type: 'PostgreSQL'
}
"""


def write(tables: list[Table]) -> str:
    references = [_reference(table, each) for table in tables for each in table.references]
    return "\n".join([HEAD, *map(_table, tables), *references]) + "\n"


def _table(table: Table) -> str:
    parts = [f"  {_column(column)}" for column in table.columns]
    checks = [f"`{rule}` [name: {_text(name)}]" for name, rule in table.checks.items()]
    parts += _block("checks", checks)
    parts += _block("indexes", [*_composite(table), *map(_index, table.indexes)])
    if table.note:
        parts += ["", f"  Note: {_text(table.note)}"]
    return "\n".join([f"Table {table.name} {{", *parts, "}\n"])


def _block(name: str, lines: list[str]) -> list[str]:
    return ["", f"  {name} {{", *(f"    {line}" for line in lines), "  }"] if lines else []


def _column(column: Column) -> str:
    return f"{column.name} {column.type} {_settings(_facts(column))}".rstrip()


def _facts(column: Column) -> Iterator[str]:
    if column.is_key:
        yield "pk"
    elif not column.is_nullable:
        yield "not null"
    if column.is_unique:
        yield "unique"
    if column.default is not None:
        yield f"default: {_default(column.default)}"
    notes = []
    if column.collation:
        notes.append(f'COLLATE "{column.collation}"')
    if column.generated:
        notes.append(f"GENERATED ALWAYS AS ({column.generated}) STORED")
    if notes:
        yield f"note: {_text(' '.join(notes))}"


def _default(sql: str) -> str:
    """A text, number or truth as it is; anything else is an expression."""
    if sql[0] == "'":
        return _text(sql[1:-1].replace("''", "'"))
    return sql if sql.isalnum() else f"`{sql}`"


def _composite(table: Table) -> Iterator[str]:
    for name, columns in table.uniques.items():
        if len(columns) > 1:
            yield f"({', '.join(columns)}) [unique, name: {_text(name)}]"


def _index(index: Index) -> str:
    # All of them as expressions or none: what reads DBML may put names behind expressions.
    is_plain = all(part.isidentifier() for part in index.parts)
    parts = index.parts if is_plain else [f"`{part}`" for part in index.parts]
    on = parts[0] if len(parts) == 1 else f"({', '.join(parts)})"
    facts = ["unique"] if index.is_unique else []
    facts += [f"type: {index.using}"] if index.using else []
    facts += [f"name: {_text(index.name)}"]
    facts += [f"note: {_text(f'WHERE {index.where}')}"] if index.where else []
    return f"{on} {_settings(facts)}"


def _reference(table: Table, reference: Reference) -> str:
    child = f"{table.name}.{reference.column}"
    parent = f"{reference.to_table}.{reference.to_column}"
    return f"Ref {reference.name}: {child} > {parent} [delete: {reference.on_delete}]"


def _settings(facts: Iterator[str] | list[str]) -> str:
    text = ", ".join(facts)
    return f"[{text}]" if text else ""


def _text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
