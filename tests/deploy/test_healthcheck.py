"""What the image asks itself: it has no curl."""

from __future__ import annotations

import pytest

from scripts import healthcheck
from tests.infra.link import closed_port
from tests.live import Server
from tests.service.conftest import server

__all__ = ["server"]


@pytest.mark.slow
def test_a_service_that_answers_is_well(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", server.url.rpartition(":")[2])

    assert healthcheck.main() == 0


def test_one_that_is_gone_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", str(closed_port()))

    assert healthcheck.main() == 1
