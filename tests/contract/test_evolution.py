"""What breaks programs needs a new major version, and what changes its name in the changelog."""

from __future__ import annotations

import json
import re
import shutil
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from api.web.contract import read
from scripts.evolution.__main__ import complaints, main
from scripts.evolution.names import changed, named
from scripts.evolution.operations import breaking
from tests.contract.changes import BREAKING, HARMLESS, NEW_POST, POST, TEXT
from tests.contract.edits import Edit, drop, every, put
from tests.docs.pages import ROOT
from tests.spec import CONTRACT

NOW = CONTRACT.document
GONE = drop(f"{POST}#get")
BREAK = "get_post: GET /api/v1/posts/{id} is gone"
TODAY = datetime(2027, 3, 1, tzinfo=UTC)
COLOUR = put(f"{NEW_POST}#properties#colour", TEXT)


def ends(sunset: str) -> Edit:
    """Whose notice began before today, as it may: what counts is when it was released."""
    return every(
        put(f"{POST}#get#deprecated", value=True),
        put(f"{POST}#get#x-deprecated-at", "2027-01-15"),
        put(f"{POST}#get#x-sunset", sunset),
    )


def edited(edit: Edit) -> dict[str, Any]:
    document = deepcopy(NOW)
    edit(document)
    return document


class TestBreaking:
    @pytest.mark.parametrize("change", BREAKING)
    def test_what_programs_rely_on_goes(self, change: str) -> None:
        assert breaking(NOW, edited(BREAKING[change]), TODAY)

    @pytest.mark.parametrize("change", HARMLESS)
    def test_what_they_do_not_notice_may_come(self, change: str) -> None:
        assert breaking(NOW, edited(HARMLESS[change]), TODAY) == []

    def test_is_said_with_operation_and_place(self) -> None:
        found = breaking(NOW, edited(put("components#schemas#Title#maxLength", 100)), TODAY)

        assert found == [
            "create_post: the body.title has a lower maxLength",
            "update_post: the body.title has a lower maxLength",
        ]

    def test_each_case_is_a_change(self) -> None:
        edits = BREAKING | HARMLESS
        assert [name for name in edits if edited(edits[name]) == NOW] == []


class TestNotice:
    """Whoever uses an operation has 180 days from the release that says when it ends."""

    @pytest.mark.parametrize(
        ("sunset", "found"),
        [
            ("2027-08-28", []),
            ("2027-08-27", ["get_post: ends less than 180 days from now"]),
        ],
    )
    def test_is_counted_from_the_release(self, sunset: str, found: list[str]) -> None:
        assert breaking(NOW, edited(ends(sunset)), TODAY) == found

    @pytest.mark.parametrize(
        ("sunset", "found"),
        [
            ("2027-08-01", []),
            ("2028-08-01", []),
            ("2027-07-31", ["get_post: ends earlier than was said"]),
        ],
    )
    def test_is_kept(self, sunset: str, found: list[str]) -> None:
        assert breaking(edited(ends("2027-08-01")), edited(ends(sunset)), TODAY) == found

    def test_may_be_taken_back(self) -> None:
        assert breaking(edited(ends("2027-08-01")), NOW, TODAY) == []


class TestNames:
    @pytest.mark.parametrize(
        ("edit", "names"),
        [
            (drop(f"{POST}#get"), ["get_post"]),
            (put(f"{POST}#get#operationId", "show_post"), ["get_post", "show_post"]),
            (put(f"{POST}#get#x-policy#cache", 60), ["get_post"]),
            (put(f"{POST}#parameters", []), ["delete_post", "get_post", "update_post"]),
            (put(f"{NEW_POST}#properties#colour", TEXT), ["PostCreate"]),
            (put(f"{NEW_POST}#properties#title", TEXT), ["PostCreate"]),
            (put("components#headers#New", {"schema": TEXT}), ["New"]),
            (put("x-rate-limits#write#limit", 31), ["write"]),
            (put("security", []), ["security"]),
            (put("servers#0#url", "/api/v2"), ["servers"]),
        ],
        ids=lambda value: " ".join(value) if isinstance(value, list) else "",
    )
    def test_whatever_a_program_could_notice_has_one(self, edit: Edit, names: list[str]) -> None:
        assert changed(NOW, edited(edit)) == names

    def test_words_have_none(self) -> None:
        words = every(
            put(f"{POST}#get#description", "Other words."),
            put(f"{NEW_POST}#properties#is_published#description", "Other words."),
            put("components#schemas#Title#example", "Another"),
            put("components#examples#New", {"value": 1}),
            put("info#description", "Other words."),
        )
        assert changed(NOW, edited(words)) == []

    @pytest.mark.parametrize(
        ("changelog", "names"),
        [
            ("## [Unreleased]\n### Contract\n- `a` and `b`\n", {"a", "b"}),
            ("## [Unreleased]\n### Contract\n- `a`\n### Fixed\n- `b`\n", {"a"}),
            ("## [Unreleased]\n### Added\n- `a`\n## [0.1.0]\n### Contract\n- `b`\n", set()),
            ("## [0.1.0]\n### Contract\n- `a`\n", set()),
            ("## [Unreleased]\n", set()),
        ],
        ids=["named", "elsewhere", "released", "nothing unreleased", "nothing"],
    )
    def test_are_read_where_they_belong(self, changelog: str, names: set[str]) -> None:
        assert named(changelog) == names


class TestGate:
    @pytest.mark.parametrize(
        ("edit", "line", "found"),
        [
            pytest.param(put("info#title", "Yard"), "", [], id="same"),
            pytest.param(COLOUR, "`PostCreate` takes a colour", [], id="named"),
            pytest.param(COLOUR, "PostCreate takes a colour", ["PostCreate"], id="no backticks"),
            pytest.param(GONE, "`get_post` is gone", [BREAK], id="broken"),
            pytest.param(GONE, "", [BREAK, "get_post"], id="broken and unsaid"),
        ],
    )
    def test_lets_through_what_is_said_and_breaks_nothing(
        self, edit: Edit, line: str, found: list[str]
    ) -> None:
        assert self.complaints(edit, line) == found

    @pytest.mark.parametrize(("version", "found"), [("0.2.0", [BREAK]), ("1.0.0", [])])
    def test_a_new_major_version_may_break(self, version: str, found: list[str]) -> None:
        edit = every(GONE, put("info#version", version))

        assert self.complaints(edit, "`get_post` is gone") == found

    def test_a_new_major_version_is_silent_about_nothing(self) -> None:
        assert self.complaints(every(GONE, put("info#version", "1.0.0"))) == ["get_post"]

    def test_fails_on_the_files_of_a_project(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "openapi").mkdir()
        (tmp_path / "openapi/bundle.yaml").write_text(json.dumps(edited(GONE)))
        shutil.copy(ROOT / "openapi/bundle.yaml", tmp_path / "openapi/released.yaml")
        (tmp_path / "CHANGELOG.md").write_text("## [Unreleased]\n")

        assert main(tmp_path) == 1
        assert BREAK in capsys.readouterr().out.splitlines()

    def complaints(self, edit: Edit, line: str = "") -> list[str]:
        """Without their headings."""
        changelog = f"## [Unreleased]\n\n### Contract\n\n- {line}\n"
        lines = complaints(NOW, edited(edit), changelog, TODAY)
        return [line for line in lines if not line.endswith(":")]


def test_what_was_released_is_of_the_newest_version_that_the_changelog_has() -> None:
    """Before the first release there is none, and what clients have is that of today's version."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## \[(\d+\.\d+\.\d+)\]", text, re.MULTILINE)
    released = read(ROOT / "openapi/released.yaml")

    assert released["info"]["version"] == [*versions, NOW["info"]["version"]][0]
