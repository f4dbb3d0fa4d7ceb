"""What is left of a flight."""

from __future__ import annotations

import pytest

from api.errors import Forbidden
from api.infra.flights import Flights


def test_nothing_is_left_of_a_flight() -> None:
    flights = Flights()

    with flights.alone("a") as first, flights.alone("b") as second:
        assert first
        assert second
    with pytest.raises(Forbidden), flights.alone("a"):
        raise Forbidden()

    assert flights._waiting == {}
