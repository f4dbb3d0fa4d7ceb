"""Commands of the runbooks work as they are printed, for somebody who was asleep a minute ago."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, name_of, spans

RUNBOOKS = sorted(ROOT.glob("docs/runbooks/*.md"))
every_page = pytest.mark.parametrize("page", RUNBOOKS, ids=map(name_of, RUNBOOKS))


@every_page
def test_scripts_are_told_what_they_ask_for(page: Path) -> None:
    for command in spans(page):
        if "./scripts/rollback" in command:
            assert re.search(r"IMAGE_NAME=\S+ .*/rollback v\d", command)


@every_page
def test_nginx_is_told_of_new_containers(page: Path) -> None:
    for command in spans(page):
        if re.search(r"compose up .*app\b|--scale", command):
            assert command.endswith(" && docker compose exec nginx nginx -s reload")


@every_page
def test_a_process_is_ended_in_its_own_container(page: Path) -> None:
    assert [each for each in spans(page) if "compose exec app" in each and "<pid>" in each] == []
