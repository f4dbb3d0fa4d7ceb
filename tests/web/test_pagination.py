"""What every list takes in its query, whatever is listed."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

POSTS = "/api/v1/posts"


@pytest.mark.parametrize(
    "moment",
    [
        "1900-01-01T00:00:00+23:59",
        "2099-12-31T23:59:59.999999-23:59",
        "2024-02-29T00:00:00.1Z",
    ],
)
def test_every_moment_that_the_contract_allows_can_be_asked_for(
    client: TestClient, moment: str
) -> None:
    for name in ("created_after", "created_before"):
        answer = client.get(POSTS, params={name: moment, "size": 1})

        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    "moment",
    [
        "2023-02-29T00:00:00Z",
        "2026-01-05T09:00:60Z",
        "2026-01-05T24:00:00Z",
        "2026-01-05 09:00:00Z",
        "2026-01-05T09:00:00",
        "2026-01-05",
        "2026-01-05T09:00:00.1234567Z",
        "1899-12-31T23:59:59Z",
        "٢٠26-01-05T09:00:00Z",
        "yesterday",
        "",
    ],
)
def test_what_is_no_moment_is_refused(client: TestClient, moment: str) -> None:
    answer = client.get(POSTS, params={"created_after": moment})

    assert answer.status_code == 400
    assert answer.json()["error"]["details"].keys() == {"created_after"}
