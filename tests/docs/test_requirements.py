"""requirements.md speaks of what there is: operations, statuses, codes, tests and tables, all of them."""

from __future__ import annotations

import ast
import re
from typing import NamedTuple

import pytest

from api.models import User
from tests.docs.pages import ROOT, anchors, prose
from tests.docs.test_documents import TEST, error_codes, is_test
from tests.spec import CONTRACT

PAGE = ROOT / "requirements.md"
TEXT = prose(PAGE)
HEAD = "| operation | who may | asked | answered | rule | test |"
ROLES = {operation.id: operation.policy.role for operation in CONTRACT.operations.values()}


class Scenario(NamedTuple):
    operation: str
    who: str
    asked: str
    answered: str
    rule: str
    test: str


def rows(head: str) -> list[list[str]]:
    """Cells of every Markdown table that begins so."""
    return [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for text in TEXT.split(f"{head}\n")[1:]
        for line in text.partition("\n\n")[0].splitlines()[1:]
    ]


SCENARIOS = [Scenario(*cells) for cells in rows(HEAD) if len(cells) == len(Scenario._fields)]


def coded(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def by_operation(row: Scenario) -> str:
    return row.operation.strip("`")


def documented(operation: str) -> set[str]:
    item = CONTRACT.operations[operation]
    base = "" if item.is_root else CONTRACT.base_path
    path = CONTRACT.document["paths"][item.path.removeprefix(base)]
    return set(path[item.method.lower()]["responses"])


def functions(path: str) -> set[str]:
    """Names of tests in a file, those of classes behind the name of their class."""
    found = set()
    for node in ast.parse((ROOT / path).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef):
            inner = (each.name for each in node.body if isinstance(each, ast.FunctionDef))
            found |= {f"{node.name}::{name}" for name in inner}
    return found


def test_every_operation_has_a_row_and_no_other_has_one() -> None:
    assert {by_operation(row) for row in SCENARIOS} == ROLES.keys()


def test_every_row_is_whole() -> None:
    assert [cells for cells in rows(HEAD) if len(cells) != len(Scenario._fields)] == []


def test_every_operation_is_an_act_of_one_entity() -> None:
    acts = [name for cells in rows("| entity | what it is | acts |") for name in coded(cells[2])]

    assert sorted(acts) == sorted(ROLES)


@pytest.mark.parametrize("row", SCENARIOS, ids=by_operation)
class TestScenario:
    def test_begins_with_the_role_of_the_contract(self, row: Scenario) -> None:
        assert coded(row.who)[0] == ROLES[by_operation(row)]

    def test_is_answered_as_the_contract_says(self, row: Scenario) -> None:
        said = coded(row.answered)
        statuses = [word for word in said if word.isdigit()]
        codes = {word for word in said if word.isupper()}

        assert said[0] in statuses
        assert set(statuses) <= documented(by_operation(row))
        assert codes <= error_codes()

    def test_says_what_is_asked(self, row: Scenario) -> None:
        assert row.asked

    def test_has_one_test_and_it_exists(self, row: Scenario) -> None:
        [name] = coded(row.test)
        path, _, inner = name.partition("::")

        assert (ROOT / path).is_file()
        assert inner in functions(path)
        assert inner.rpartition("::")[2].startswith("test_")


def test_every_other_test_that_is_named_exists() -> None:
    assert [name for name in TEST.findall(TEXT) if not is_test(name)] == []


def test_every_story_has_criteria_with_a_test() -> None:
    _, _, rest = TEXT.partition("\n## User stories\n")
    lines = rest.partition("\n## ")[0].splitlines()
    who = [line.split("**")[1].rstrip(".") for line in lines if line.startswith("**")]
    criteria = [line for line in lines if line.startswith("- ")]

    assert who == [
        "Visitor",
        "Member",
        "Moderator",
        "Administrator",
        "API consumer",
        "Contract tester",
        "Operator",
    ]
    form = re.compile(r"- Given .+, when .+, then .+: `tests/.+`\.")
    assert [line for line in criteria if not form.fullmatch(line)] == []


def test_every_table_says_how_long_it_is_kept() -> None:
    found = rows("| table | kept | removed by |")

    assert sorted(cells[0].strip("`") for cells in found) == sorted(User.metadata.tables)
    assert all(kept and by for _, kept, by in found)


def test_what_is_planned_has_a_priority() -> None:
    found = rows("| what | priority | state |")

    states = {tuple(cells[1:]) for cells in found}
    assert states == {("MVP", "built"), ("phase 2", "built"), ("phase 2", "planned")}
    assert len({cells[0] for cells in found}) == len(found)
    assert "priorities" in anchors(PAGE)
