"""Finding accounts: who may, by what, in which order."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from tests.admin.acts import ADMIN, Query
from tests.auth.flows import code_of
from tests.people import People, Person

ACCOUNTS = f"{ADMIN}/users"


def names(response: httpx.Response) -> list[str]:
    assert response.status_code == 200, response.text
    return [account["username"] for account in response.json()["data"]["items"]]


class TestListAccounts:
    @pytest.fixture(autouse=True)
    def everybody(self, people: People, boss: Person, query: Query) -> None:
        """Made a day apart, in another order than that of their ids."""
        for name, role, status in (
            ("ann_one", "user", "active"),
            ("annxone", "user", "blocked"),
            ("mo_mo", "moderator", "blocked"),
        ):
            people(name, role=role, status=status)
        query("UPDATE users SET email = 'Ann%One@example.com' WHERE username = 'ann_one'")
        for day, name in enumerate(("mo_mo", "annxone", "boss", "ann_one"), start=1):
            made = f"'2026-01-0{day}T09:00:00.000001Z'"
            query(f"UPDATE users SET created_at = {made} WHERE username = '{name}'")

    def test_the_newest_first_and_all_of_them(self, client: TestClient, boss: Person) -> None:
        page = client.get(ACCOUNTS, headers=boss.auth)

        assert names(page) == ["ann_one", "boss", "annxone", "mo_mo"]
        assert page.json()["data"]["total"] == 4
        newest = page.json()["data"]["items"][0]
        assert (newest["email"], newest["role"], newest["status"]) == (
            "Ann%One@example.com",
            "user",
            "active",
        )

    @pytest.mark.parametrize(
        ("filters", "found"),
        [
            ({"role": "user"}, ["ann_one", "annxone"]),
            ({"role": "moderator"}, ["mo_mo"]),
            ({"role": "admin", "status": "blocked"}, []),
            ({"status": "blocked"}, ["annxone", "mo_mo"]),
            ({"status": "active"}, ["ann_one", "boss"]),
            ({"email": "ann"}, ["ann_one", "annxone"]),
            ({"email": "ANNX"}, ["annxone"]),
            ({"email": "ann%one@Example"}, ["ann_one"]),
            ({"email": "ann%"}, ["ann_one"]),
            ({"email": "%"}, []),
            ({"email": "ann_"}, []),
            ({"email": "mo_mo@example.com"}, ["mo_mo"]),
            ({"email": "example.com"}, []),
            ({"created_after": "2026-01-02T09:00:00.000001Z"}, ["ann_one", "boss"]),
            ({"created_after": "2026-01-02T09:00:00.000000Z"}, ["ann_one", "boss", "annxone"]),
            ({"created_before": "2026-01-02T18:00:00.000001+09:00"}, ["mo_mo"]),
            (
                {
                    "created_after": "2026-01-01T12:00:00Z",
                    "created_before": "2026-01-03T12:00:00Z",
                    "email": "a",
                },
                ["annxone"],
            ),
        ],
    )
    def test_each_filter_leaves_fewer(
        self, client: TestClient, boss: Person, filters: dict[str, str], found: list[str]
    ) -> None:
        page = client.get(ACCOUNTS, params=filters, headers=boss.auth)

        assert names(page) == found
        assert page.json()["data"]["total"] == len(found)
        walk = client.get(ACCOUNTS, params=filters | {"cursor": ""}, headers=boss.auth)
        assert names(walk) == found

    def test_pages_keep_the_filter(self, client: TestClient, boss: Person) -> None:
        first = client.get(ACCOUNTS, params={"email": "ann", "size": 1}, headers=boss.auth)
        second = client.get(first.json()["data"]["next"], headers=boss.auth)

        assert (names(first), names(second)) == (["ann_one"], ["annxone"])
        assert second.json()["data"]["next"] is None
        assert names(client.get(second.json()["data"]["prev"], headers=boss.auth)) == ["ann_one"]

    @pytest.mark.usefixtures("ada", "bob")
    def test_a_walk_meets_everybody_once_while_others_come(
        self, client: TestClient, boss: Person, people: People, query: Query
    ) -> None:
        """Also those who were made in the same microsecond."""
        query("UPDATE users SET created_at = '2026-01-05T09:00:00Z' WHERE username <> 'mo_mo'")
        all_of_them = names(client.get(ACCOUNTS, headers=boss.auth))

        url: str | None = f"{ACCOUNTS}?cursor=&size=2"
        seen: list[str] = []
        while url:
            page = client.get(url, headers=boss.auth)
            seen += names(page)
            data: dict[str, Any] = page.json()["data"]
            assert (data["page"], data["total"], data["prev"]) == (None, None, None)
            url = data["next"]
            people(f"late_{len(seen)}")

        assert seen == all_of_them
        assert len(seen) == 6

    def test_a_cursor_is_of_its_filter(self, client: TestClient, boss: Person) -> None:
        first = client.get(ACCOUNTS, params={"cursor": "", "size": 1}, headers=boss.auth)
        url = first.json()["data"]["next"]

        answer = client.get(f"{url}&role=user", headers=boss.auth)

        assert (answer.status_code, code_of(answer)) == (404, "CURSOR_UNKNOWN")


def test_is_for_administrators(
    client: TestClient, people: People, ada: Person, boss: Person
) -> None:
    mo = people("mo_mo", role="moderator")

    assert client.get(ACCOUNTS).status_code == 401
    assert client.get(ACCOUNTS, headers=ada.auth).status_code == 403
    assert client.get(ACCOUNTS, headers=mo.auth).status_code == 403
    assert client.get(ACCOUNTS, headers=boss.auth).status_code == 200
