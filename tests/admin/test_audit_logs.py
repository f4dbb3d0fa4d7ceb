"""Reading what was done: who may, by what, in which order, and that nobody changes it."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from tests.admin.acts import ADMIN, Query, block, change_role, unblock
from tests.auth.flows import code_of, log_in, sign_up
from tests.people import People, Person

LOGS = f"{ADMIN}/audit-logs"
ADD = """
    INSERT INTO audit_logs
        (id, action, actor_id, target_type, target_id, ip, request_id, details, created_at)
    VALUES (gen_random_uuid(), :action, :actor, :kind, :target, 'local', 'r',
        jsonb_build_object('reason', :name ::text), :time)
"""
POST = "01a20547-abc9-7556-b949-000000000001"
COMMENT = "01a20547-abc9-7556-b949-000000000002"


def items(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["data"]["items"]
    return found


def names(answer: httpx.Response) -> list[str]:
    return [item["details"]["reason"] for item in items(answer)]


class TestWhoMay:
    def test_administrators_read(
        self, client: TestClient, people: People, ada: Person, boss: Person
    ) -> None:
        mo = people("mo_mo", role="moderator")

        assert client.get(LOGS).status_code == 401
        assert client.get(LOGS, headers=ada.auth).status_code == 403
        assert client.get(LOGS, headers=mo.auth).status_code == 403
        assert items(client.get(LOGS, headers=boss.auth)) == []

    @pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
    @pytest.mark.parametrize("url", [LOGS, f"{LOGS}/{POST}"])
    def test_nobody_writes(
        self, client: TestClient, boss: Person, query: Query, method: str, url: str
    ) -> None:
        """Z8"""
        block(client, boss, boss.id)
        before = query("SELECT audit_logs::text FROM audit_logs")

        answer = client.request(method, url, json={"action": "authz_admin"}, headers=boss.auth)

        assert answer.status_code == (405 if url == LOGS else 404)
        assert answer.headers.get("Allow") == ("GET, HEAD" if url == LOGS else None)
        assert query("SELECT audit_logs::text FROM audit_logs") == before


class TestWhatIsShown:
    def test_who_did_what_to_whom_and_why(
        self, client: TestClient, ada: Person, boss: Person
    ) -> None:
        block(client, boss, ada.id)
        change_role(client, boss, ada.id)

        changed, blocked = items(client.get(LOGS, headers=boss.auth))

        shown = {name: blocked[name] for name in blocked.keys() - {"id", "created_at"}}
        assert shown == {
            "actor": {"id": str(boss.id), "username": "boss"},
            "action": "authz_admin",
            "target_type": "user",
            "target_id": str(ada.id),
            "ip": "testclient",
            "details": {"event": "block", "reason": "Posts advertising again and again"},
        }
        assert (changed["action"], changed["details"]) == (
            "authz_change",
            {"from": "user", "to": "moderator"},
        )

    def test_nobody_was_logged_in(self, client: TestClient, boss: Person) -> None:
        sign_up(client, "newcomer")
        log_in(client, "nobody@example.com", "not a password of anybody")

        failed, created = items(client.get(LOGS, headers=boss.auth))

        assert (failed["actor"], failed["target_type"], failed["target_id"]) == (None, None, None)
        assert (created["actor"], created["target_type"]) == (None, "user")

    def test_the_name_is_that_of_now_and_goes_with_the_person(
        self, client: TestClient, people: People, ada: Person, boss: Person
    ) -> None:
        other = people("other", role="admin")
        block(client, other, ada.id)

        def actor() -> Any:
            query = {"target_id": str(ada.id), "action": "authz_admin"}
            [row] = items(client.get(LOGS, params=query, headers=boss.auth))
            return row["actor"]

        assert actor() == {"id": str(other.id), "username": "other"}
        client.patch("/api/v1/users/me", json={"username": "another"}, headers=other.auth)
        assert actor() == {"id": str(other.id), "username": "another"}
        client.delete("/api/v1/users/me", headers=other.auth)
        assert actor() == {"id": str(other.id), "username": None}

    def test_a_row_outlives_its_target(self, client: TestClient, ada: Person, boss: Person) -> None:
        unblock(client, boss, ada.id)
        block(client, boss, ada.id)
        client.delete(f"/api/v1/users/{ada.id}", headers=boss.auth)

        rows = items(client.get(LOGS, params={"target_id": str(ada.id)}, headers=boss.auth))

        assert [row["action"] for row in rows] == ["user_deleted", "authz_admin"]


class TestFilters:
    @pytest.fixture(autouse=True)
    def rows(self, ada: Person, boss: Person, query: Query) -> None:
        """A day apart from January 1st on; those of the third and the fourth in one microsecond."""
        for name, day, action, actor, kind, target in (
            ("one", 1, "authz_admin", boss, "user", ada.id),
            ("two", 2, "authz_change", boss, "user", ada.id),
            ("three", 3, "sensitive_delete", ada, "post", POST),
            ("four", 3, "sensitive_delete", boss, "comment", COMMENT),
            ("five", 5, "authn_login_fail", None, None, None),
        ):
            time, who = f"2026-01-0{day}T09:00:00.000001Z", actor.id if actor else None
            values = {"action": action, "actor": who, "kind": kind, "target": target}
            query(ADD, name=name, time=time, **values)

    @pytest.mark.parametrize(
        ("filters", "found"),
        [
            ({"actor_id": "boss"}, {"one", "two", "four"}),
            ({"actor_id": POST}, set()),
            ({"action": "authz_admin"}, {"one"}),
            ({"action": "authn_login_lock"}, set()),
            ({"target_type": "user"}, {"one", "two"}),
            ({"target_type": "comment"}, {"four"}),
            ({"target_id": POST}, {"three"}),
            ({"target_id": POST, "target_type": "comment"}, set()),
            ({"actor_id": "boss", "target_type": "user", "action": "authz_change"}, {"two"}),
            ({"created_after": "2026-01-03T09:00:00.000001Z"}, {"five"}),
            ({"created_after": "2026-01-03T09:00:00.000000Z"}, {"three", "four", "five"}),
            ({"created_before": "2026-01-02T18:00:00.000001+09:00"}, {"one"}),
            (
                {"created_after": "2026-01-01T23:00:00Z", "created_before": "2026-01-04T00:00:00Z"},
                {"two", "three", "four"},
            ),
        ],
    )
    def test_each_leaves_fewer(
        self, client: TestClient, boss: Person, filters: dict[str, str], found: set[str]
    ) -> None:
        params = {
            name: str(boss.id) if value == "boss" else value for name, value in filters.items()
        }

        page = client.get(LOGS, params=params, headers=boss.auth)
        walk = client.get(LOGS, params=params | {"cursor": ""}, headers=boss.auth)

        assert set(names(page)) == set(names(walk)) == found
        assert page.json()["data"]["total"] == len(found)

    def test_the_newest_first_and_all_of_them(self, client: TestClient, boss: Person) -> None:
        page = client.get(LOGS, headers=boss.auth)

        [first, *middle, last_but_one, last] = names(page)
        assert (first, set(middle), last_but_one, last) == ("five", {"three", "four"}, "two", "one")
        assert page.json()["data"]["total"] == 5

    def test_pages_keep_the_filter(self, client: TestClient, boss: Person) -> None:
        params = {"target_type": "user", "size": 1}

        first = client.get(LOGS, params=params, headers=boss.auth)
        second = client.get(first.json()["data"]["next"], headers=boss.auth)

        assert (names(first), names(second)) == (["two"], ["one"])
        assert second.json()["data"]["next"] is None

    def test_a_walk_meets_each_row_once_while_others_come(
        self, client: TestClient, ada: Person, boss: Person
    ) -> None:
        everything = names(client.get(LOGS, headers=boss.auth))

        url: str | None = f"{LOGS}?cursor=&size=1"
        seen: list[str] = []
        while url:
            page = client.get(url, headers=boss.auth)
            seen += names(page)
            url = page.json()["data"]["next"]
            change_role(client, boss, ada.id, "moderator" if len(seen) % 2 else "user")

        assert seen == everything

    def test_a_cursor_is_of_its_filter(self, client: TestClient, boss: Person) -> None:
        first = client.get(LOGS, params={"cursor": "", "size": 1}, headers=boss.auth)

        answer = client.get(f"{first.json()['data']['next']}&target_type=user", headers=boss.auth)

        assert (answer.status_code, code_of(answer)) == (404, "CURSOR_UNKNOWN")
