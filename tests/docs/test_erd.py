"""docs/erd.dbml and docs/erd.svg show the tables as the models have them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import sqlalchemy as sa

from api.models import User
from scripts.erd import render
from scripts.erd.__main__ import main
from scripts.erd.dbml import write as write_dbml
from scripts.erd.layout import Box, place
from scripts.erd.routes import connect
from scripts.erd.schema import read
from scripts.erd.svg import write as write_svg
from tests.docs.pages import ROOT

DBML, SVG = ROOT / "docs/erd.dbml", ROOT / "docs/erd.svg"
TABLE = re.compile(r"^Table (\w+) \{\n((?:  \w+ [a-z].*\n)+)", re.MULTILINE)
SPACE = "{http://www.w3.org/2000/svg}"


def test_the_committed_files_are_fresh() -> None:
    assert main(["--check"]) == 0


@pytest.mark.parametrize("name", ["erd.dbml", "erd.svg"])
def test_a_stale_file_is_refused_and_then_mended(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([], tmp_path) == 0
    (tmp_path / name).write_text("Table users {}", encoding="utf-8")

    assert main(["--check"], tmp_path) == 1
    assert f"{name} is stale: run python -m scripts.erd" in capsys.readouterr().err
    assert main([], tmp_path) == main(["--check"], tmp_path) == 0


def test_a_missing_file_is_stale(tmp_path: Path) -> None:
    assert main(["--check"], tmp_path) == 1


@pytest.mark.parametrize("seed", ["1", "2"])
def test_every_process_writes_the_same(seed: str) -> None:
    """Also where sets are in another order."""
    script = "from scripts.erd import render; print(render(), end='')"
    run = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=True,
    )

    assert run.stdout == str(render())


def test_the_dbml_has_every_table_column_index_and_reference() -> None:
    text = DBML.read_text(encoding="utf-8")
    tables = {
        name: [line.split()[0] for line in rows.splitlines()] for name, rows in TABLE.findall(text)
    }

    assert tables == {
        table.name: [column.name for column in table.columns]
        for table in User.metadata.sorted_tables
    }
    for table in User.metadata.sorted_tables:
        rules = [c for c in table.constraints if isinstance(c, sa.CheckConstraint)]
        named = {str(c.name) for c in (*rules, *table.foreign_key_constraints)}
        named |= {str(index.name) for index in table.indexes}
        assert named - set(re.findall(r"\w+", text)) == set()


def test_the_dbml_says_of_a_column_what_it_demands() -> None:
    metadata = sa.MetaData()
    sa.Table("a", metadata, sa.Column("id", sa.Uuid, primary_key=True))
    sa.Table(
        "b",
        metadata,
        sa.Column("id", sa.BigInteger, primary_key=True),
        sa.Column("a_id", sa.ForeignKey("a.id", name="fk_b_a_id", ondelete="SET NULL")),
        sa.Column("text", sa.Text(collation="C"), nullable=False, server_default="it's"),
        sa.Column("number", sa.BigInteger, server_default="0"),
        sa.Column("twice", sa.BigInteger, sa.Computed("number * 2")),
        sa.UniqueConstraint("a_id", "text", name="uq_b"),
        sa.UniqueConstraint("number", name="uq_b_number"),
        sa.CheckConstraint("number > 0", name="ck_b"),
        sa.Index("ix_b", "a_id", sa.text("number DESC"), postgresql_where=sa.text("number > 1")),
    )

    text = write_dbml(read(metadata))

    for line in (
        "id bigint [pk]",
        "a_id uuid",
        r"""text text [not null, default: 'it\'s', note: 'COLLATE "C"']""",
        "number bigint [unique, default: 0]",
        "twice bigint [note: 'GENERATED ALWAYS AS (number * 2) STORED']",
        "(a_id, text) [unique, name: 'uq_b']",
        "`number > 0` [name: 'ck_b']",
        "(`a_id`, `number DESC`) [name: 'ix_b', note: 'WHERE number > 1']",
    ):
        assert f" {line}\n" in text, line
    assert "Ref fk_b_a_id: b.a_id > a.id [delete: set null]\n" in text


class TestPicture:
    def test_names_every_table_and_column(self) -> None:
        groups = ET.parse(SVG).getroot().iter(f"{SPACE}g")
        shown = [[text.text for text in group.iter(f"{SPACE}text")] for group in groups]

        for table in User.metadata.sorted_tables:
            [words] = [words for words in shown if words[0] == table.name]
            assert {column.name for column in table.columns} <= set(words)

    def test_no_box_covers_another(self) -> None:
        boxes = list(place(read(User.metadata)).values())

        assert [
            (one.table.name, other.table.name)
            for number, one in enumerate(boxes)
            for other in boxes[number + 1 :]
            if overlap(one, other)
        ] == []

    def test_no_line_runs_through_a_box(self) -> None:
        boxes = place(read(User.metadata))
        lines = list(connect(boxes))

        assert len(lines) == sum(len(t.foreign_keys) for t in User.metadata.sorted_tables)
        for line in lines:
            for start, end in zip(line.points, line.points[1:], strict=False):
                hit = [box.table.name for box in boxes.values() if crosses(start, end, box)]
                assert hit == [], line.reference.name

    def test_a_table_may_refer_to_itself(self) -> None:
        metadata = sa.MetaData()
        sa.Table(
            "a",
            metadata,
            sa.Column("id", sa.Uuid, primary_key=True),
            sa.Column("answer_to", sa.ForeignKey("a.id", name="fk_a_answer_to")),
        )

        assert write_svg(read(metadata)).count('class="line"') > 1


def overlap(one: Box, other: Box) -> bool:
    beside = one.right <= other.x or other.right <= one.x
    return not beside and one.y < other.bottom and other.y < one.bottom


def crosses(start: tuple[float, float], end: tuple[float, float], box: Box) -> bool:
    """Whether this horizontal or vertical stretch runs inside; touching an edge does not count."""
    left, right = sorted((start[0], end[0]))
    top, bottom = sorted((start[1], end[1]))
    return left < box.right and right > box.x and top < box.bottom and bottom > box.y
