"""A deployed service, and somebody who tests against it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from api.app import App
from tests import live
from tests.contract.visitor import RAISED, SEED, Visitor, check_out


@pytest.fixture(scope="module")
def server(
    environment: dict[str, str], app: App, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[live.Server]:
    with live.serve(environment | RAISED, tmp_path_factory.mktemp("service") / "log") as server:
        yield server


@pytest.fixture
def visitor(
    server: live.Server, environment: dict[str, str], clean: None, tmp_path: Path
) -> Visitor:
    home = tmp_path / "checkout"
    home.mkdir()
    check_out(home, environment | RAISED)
    visitor = Visitor(home, server)
    seeded = visitor.run(SEED)
    assert seeded.returncode == 0, seeded.stderr
    return visitor
