"""The README in both languages, and its tour, run as somebody who pastes it line by line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import live
from tests.docs.pages import ROOT, blocks

ENGLISH, KOREAN = ROOT / "README.md", ROOT / "README.ko.md"
HOST = "http://localhost:8000"
LINES = 10


def tour() -> list[str]:
    [text] = [text for _, text in blocks(ENGLISH) if "/auth/signup" in text]
    return text.splitlines()


def sample_refusal() -> dict[str, Any]:
    [text] = [text for language, text in blocks(ENGLISH) if language == "json"]
    found: dict[str, Any] = json.loads(text)
    return found


def test_both_languages_have_the_same_code() -> None:
    assert blocks(ENGLISH)
    assert blocks(KOREAN) == blocks(ENGLISH)


def test_both_languages_name_the_same_tables_and_headings() -> None:
    def outline(page: Path) -> list[str]:
        text = page.read_text(encoding="utf-8").splitlines()
        return [line.split(" ")[0] for line in text if line.startswith(("#", "|---"))]

    assert outline(KOREAN) == outline(ENGLISH)


def test_the_tour_has_ten_lines_for_the_default_address() -> None:
    assert len(tour()) == LINES
    assert HOST in tour()[0]


@pytest.fixture
def server(
    environment: dict[str, str], app: object, clean: None, tmp_path: Path
) -> Iterator[live.Server]:
    own_origin = {name: value for name, value in environment.items() if name != "PUBLIC_URL"}
    with live.serve(own_origin, tmp_path / "log") as server:
        yield server


@pytest.mark.slow
def test_the_tour_works_line_by_line(server: live.Server, tmp_path: Path) -> None:
    outputs = paste(tour(), server.url, tmp_path)

    assert [status for status, _ in outputs] == [0] * LINES
    _, account, _, me, post, listed, single, refusal, session, logout = (t for _, t in outputs)
    assert data(account)["username"] == "nari"
    assert data(me)["id"] == data(account)["id"]
    assert data(post)["author"]["id"] == data(account)["id"]
    assert data(listed)["items"] == [data(post)]
    assert data(single) == data(post)
    assert data(session)["token_type"] == "Bearer"
    assert logout.strip() == "204"
    assert without_id(json.loads(refusal)) == without_id(sample_refusal())


@pytest.mark.slow
def test_after_the_tour_the_token_counts_no_more(server: live.Server, tmp_path: Path) -> None:
    again = 'curl -s -o /dev/null -w "%{http_code}" $API/users/me -H "Authorization: Bearer $TOKEN"'

    outputs = paste([*tour(), again], server.url, tmp_path)

    assert outputs[-1] == (0, "401")


def paste(lines: list[str], url: str, home: Path) -> list[tuple[int, str]]:
    """Status and output of each line, all of them read by one shell."""
    script = "".join(f"{line}\nprintf '\\0%s\\0' $?\n" for line in lines)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    shell = subprocess.run(
        ["bash", "--norc"],
        input=script.replace(HOST, url),
        env={"PATH": path, "HOME": str(home), "TMPDIR": str(home), "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert shell.stderr == ""
    # Output and status take turns, and nothing follows the last status.
    parts = shell.stdout.split("\0")[:-1]
    return [(int(status), text) for text, status in zip(parts[::2], parts[1::2], strict=True)]


def data(text: str) -> dict[str, Any]:
    answer = json.loads(text)
    assert answer["status"] == "ok"
    found: dict[str, Any] = answer["data"]
    return found


def without_id(answer: dict[str, Any]) -> dict[str, Any]:
    return {**answer, "error": {**answer["error"], "request_id": None}}
