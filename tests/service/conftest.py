"""The service as it is deployed, shared by the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import live


@pytest.fixture(scope="session")
def server(
    environment: dict[str, str], app: object, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[live.Server]:
    """Two worker processes; ``app`` has built the database."""
    own_origin = {name: value for name, value in environment.items() if name != "PUBLIC_URL"}
    with live.serve(own_origin, tmp_path_factory.mktemp("service") / "log") as server:
        yield server
