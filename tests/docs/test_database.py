"""docs/database.md says of the tables what the models say: all of it, and nothing else."""

from __future__ import annotations

import re

import pytest

from api.models import User
from scripts.erd.schema import Table, read
from tests.docs.pages import ROOT, prose, spans

PAGE = ROOT / "docs/database.md"
TABLES = {table.name: table for table in read(User.metadata)}
SECTION = re.compile(r"^### `(\w+)`\n(.*?)(?=^##)", re.MULTILINE | re.DOTALL)
SECTIONS = dict(SECTION.findall(prose(PAGE)))
CELL = re.compile(r"(?<!\\)\|")
NAMED = re.compile(r"(ix|uq|ck|fk|pk)_[a-z_]+")


def rows(name: str, head: str) -> list[list[str]]:
    """Cells of the Markdown table that begins so, beneath the heading of a database table."""
    _, found, text = SECTIONS[name].partition(f"| {head} |")
    lines = text.partition("\n\n")[0].splitlines()[2:] if found else []
    return [[cell.strip().replace("\\|", "|") for cell in CELL.split(line)[1:-1]] for line in lines]


def columns(table: Table) -> list[list[str]]:
    """Name, type, null and default, as the page writes them."""
    return [
        [
            f"`{column.name}`",
            column.type + (f' COLLATE "{column.collation}"' if column.collation else ""),
            "yes" if column.is_nullable else "no",
            "generated" if column.generated else f"`{column.default}`" if column.default else "",
        ]
        for column in table.columns
    ]


def constraints(table: Table) -> dict[str, str]:
    key = ", ".join(column.name for column in table.columns if column.is_key)
    return {
        table.key: f"PRIMARY KEY ({key})",
        **{name: f"UNIQUE ({', '.join(names)})" for name, names in table.uniques.items()},
        **{
            each.name: f"FOREIGN KEY ({each.column}) REFERENCES {each.to_table} ({each.to_column})"
            f" ON DELETE {each.on_delete.upper()}"
            for each in table.references
        },
        **{name: f"CHECK ({rule})" for name, rule in table.checks.items()},
    }


def indexes(table: Table) -> dict[str, str]:
    return {
        index.name: f"{'UNIQUE ' if index.is_unique else ''}{index.definition}"
        for index in table.indexes
    }


def described(name: str, head: str) -> dict[str, str]:
    found = rows(name, head)
    assert len({cells[0] for cells in found}) == len(found), "something is described twice"
    return {cells[0].strip("`"): cells[1].strip("`") for cells in found}


def everything() -> set[str]:
    """The names of all constraints and indexes."""
    return {name for table in TABLES.values() for name in (*constraints(table), *indexes(table))}


def test_every_table_has_its_section_and_no_other_has_one() -> None:
    assert SECTIONS.keys() == TABLES.keys()


@pytest.mark.parametrize("name", TABLES)
class TestTable:
    def test_has_these_columns(self, name: str) -> None:
        found = rows(name, "column | type | null | default | meaning")

        assert [cells[:4] for cells in found] == columns(TABLES[name])

    def test_says_what_each_is_for(self, name: str) -> None:
        found = rows(name, "column | type | null | default | meaning")

        assert [cells[0] for cells in found if not cells[4]] == []

    def test_has_these_constraints(self, name: str) -> None:
        assert described(name, "constraint | rule") == constraints(TABLES[name])

    def test_has_these_indexes(self, name: str) -> None:
        assert described(name, "index | on") == indexes(TABLES[name])


def test_no_other_constraint_or_index_is_named() -> None:
    named = {word for span in spans(PAGE) for word in span.split() if NAMED.fullmatch(word)}

    assert named == everything()


def test_no_other_column_is_named() -> None:
    """As ``table.column`` in the text."""
    pairs = [span.split(".") for span in spans(PAGE) if re.fullmatch(r"[a-z_]+\.[a-z_]+", span)]
    named = {(table, column) for table, column in pairs if table in TABLES}
    there = {(table.name, column.name) for table in TABLES.values() for column in table.columns}

    assert named
    assert named - there == set()


def test_every_index_serves_a_query() -> None:
    _, _, text = prose(PAGE).partition("| query | index | how it is read |")
    lines = text.partition("\n\n")[0].splitlines()[2:]
    served = {name for line in lines for name in re.findall(r"`(\w+)`", CELL.split(line)[2])}
    keys = {table.key for table in TABLES.values()}
    uniques = {name for table in TABLES.values() for name in table.uniques}

    assert served == keys | uniques | {name for table in TABLES.values() for name in indexes(table)}
