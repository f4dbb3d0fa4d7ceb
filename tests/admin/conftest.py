from __future__ import annotations

import pytest

from tests.people import People, Person


@pytest.fixture
def boss(people: People) -> Person:
    """The one administrator, unless a test makes others."""
    return people("boss", role="admin")
