"""Ids are UUIDs that sort by the time they were made."""

from __future__ import annotations

import time
from uuid import UUID

from api.infra.ids import new_id


def test_an_id_is_a_real_uuid_of_version_7() -> None:
    """A known trap: PostgreSQL 15 makes none itself."""
    found = new_id()

    assert type(found) is UUID
    assert found.version == 7


def test_ids_sort_by_time_and_do_not_repeat() -> None:
    found = [new_id() for _ in range(10_000)]

    assert found == sorted(found)
    assert len(set(found)) == 10_000


def test_an_id_tells_its_time() -> None:
    before = time.time_ns() // 1_000_000

    assert before <= new_id().int >> 80 <= time.time_ns() // 1_000_000
