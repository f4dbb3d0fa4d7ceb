"""Blocking somebody and changing a role: who may, and what comes of it at once."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from tests.admin.acts import ACTS, ADMIN, NOBODY, Act, Query, block, change_role, unblock
from tests.auth.flows import begin, code_of, log_in, me, refresh
from tests.people import People, Person

ACCOUNTS = f"{ADMIN}/users"
USERS = "SELECT users::text FROM users ORDER BY id"
SESSIONS = "SELECT sessions::text FROM sessions ORDER BY id"
AUDIT = "SELECT action, details FROM audit_logs ORDER BY created_at"


class TestWhoMay:
    @pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
    def test_nobody_but_an_administrator(
        self, client: TestClient, people: People, ada: Person, boss: Person, query: Query, act: Act
    ) -> None:
        mo = people("mo_mo", role="moderator")
        before = query(USERS)

        for who, status in ((None, 401), (ada, 403), (mo, 403)):
            assert act(client, who, ada.id).status_code == status
        assert (query(USERS), query(AUDIT)) == (before, [])
        assert act(client, boss, ada.id).status_code == 200

    @pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
    def test_nobody_is_not_found(
        self, client: TestClient, boss: Person, query: Query, act: Act
    ) -> None:
        answer = act(client, boss, NOBODY)

        assert (answer.status_code, code_of(answer)) == (404, "NOT_FOUND")
        assert query(AUDIT) == []


class TestBlock:
    def test_shows_the_account_as_it_is_now(
        self, client: TestClient, ada: Person, boss: Person
    ) -> None:
        account = block(client, boss, ada.id).json()["data"]

        assert (account["username"], account["status"]) == ("ada", "blocked")
        assert account["updated_at"] > account["created_at"]
        assert client.get(f"/api/v1/users/{ada.id}", headers=boss.auth).json()["data"] == account

    def test_ends_every_session_at_once(
        self, client: TestClient, ada: Person, boss: Person, query: Query
    ) -> None:
        logins = [begin(client, ada.email) for _ in range(2)]

        block(client, boss, ada.id)

        for access in (ada.token, *(login.access for login in logins)):
            assert me(client, access).status_code == 401
        for login in logins:
            assert refresh(client, login.refresh).status_code == 401
        assert refused_to_log_in(client, ada)
        ended = "SELECT user_id FROM sessions WHERE end_reason = 'blocked'"
        assert query(ended) == [(ada.id,)] * 3
        assert me(client, boss.token).status_code == 200

    def test_a_session_that_was_over_keeps_its_reason(
        self, client: TestClient, ada: Person, boss: Person, query: Query
    ) -> None:
        query(
            "UPDATE sessions SET ended_at = created_at, end_reason = 'logout' WHERE user_id = :id",
            id=ada.id,
        )

        block(client, boss, ada.id)

        assert query("SELECT end_reason FROM sessions WHERE user_id = :id", id=ada.id) == [
            ("logout",)
        ]

    def test_what_they_wrote_stays(self, client: TestClient, ada: Person, boss: Person) -> None:
        post = {"title": "t", "body": "b", "is_published": True}
        url = client.post("/api/v1/posts", json=post, headers=ada.auth).headers["Location"]

        block(client, boss, ada.id)

        assert client.get(url).json()["data"]["author"]["username"] == "ada"
        assert client.post("/api/v1/posts", json=post, headers=ada.auth).status_code == 401

    def test_twice_changes_nothing(
        self, client: TestClient, ada: Person, boss: Person, query: Query
    ) -> None:
        first = block(client, boss, ada.id)
        before = query(USERS), query(SESSIONS), query(AUDIT)

        second = block(client, boss, ada.id)

        assert (second.status_code, second.json()) == (200, first.json())
        assert (query(USERS), query(SESSIONS), query(AUDIT)) == before
        assert len(before[2]) == 1


class TestUnblock:
    def test_revives_no_session_but_lets_them_log_in(
        self, client: TestClient, ada: Person, boss: Person
    ) -> None:
        login = begin(client, ada.email)
        block(client, boss, ada.id)

        assert unblock(client, boss, ada.id).json()["data"]["status"] == "active"

        for access in (ada.token, login.access):
            assert me(client, access).status_code == 401
        assert refresh(client, login.refresh).status_code == 401
        assert me(client, begin(client, ada.email).access).status_code == 200

    def test_twice_changes_nothing(
        self, client: TestClient, ada: Person, boss: Person, query: Query
    ) -> None:
        block(client, boss, ada.id)
        first = unblock(client, boss, ada.id)
        before = query(USERS), query(AUDIT)

        second = unblock(client, boss, ada.id)

        assert (second.status_code, second.json()) == (200, first.json())
        assert (query(USERS), query(AUDIT)) == before
        assert len(before[1]) == 2


class TestChangeRole:
    def test_counts_from_the_next_request_on(
        self, client: TestClient, ada: Person, boss: Person
    ) -> None:
        """With the same token, up and down."""
        asked = []
        for role in ("admin", "moderator", "admin", "user"):
            assert change_role(client, boss, ada.id, role).json()["data"]["role"] == role
            asked.append(client.get(ACCOUNTS, headers=ada.auth).status_code)

        assert asked == [200, 403, 200, 403]
        assert me(client, ada.token).json()["data"]["role"] == "user"

    @pytest.mark.parametrize("role", ["user", "admin"])
    def test_the_same_role_changes_nothing(
        self, client: TestClient, ada: Person, boss: Person, query: Query, role: str
    ) -> None:
        first = change_role(client, boss, ada.id, role)
        before = query(USERS), query(AUDIT)

        second = change_role(client, boss, ada.id, role)

        assert (second.status_code, second.json()) == (200, first.json())
        assert (query(USERS), query(AUDIT)) == before
        assert len(before[1]) == (role == "admin")

    def test_somebody_blocked_gets_a_role_and_stays_blocked(
        self, client: TestClient, people: People, boss: Person
    ) -> None:
        eve = people("eve", status="blocked")

        account = change_role(client, boss, eve.id, "admin").json()["data"]

        assert (account["role"], account["status"]) == ("admin", "blocked")
        assert client.get(ACCOUNTS, headers=eve.auth).status_code == 401


class TestOnOneself:
    """Z10; and the last one, Z9."""

    @pytest.fixture(params=["block", "user", "moderator"])
    def act(self, request: pytest.FixtureRequest) -> Act:
        if request.param == "block":
            return block
        return lambda client, who, user_id: change_role(client, who, user_id, request.param)

    def test_is_left_to_another_one(
        self, client: TestClient, people: People, boss: Person, query: Query, act: Act
    ) -> None:
        other = people("root", role="admin")
        before = query(USERS), query(SESSIONS)

        answer = act(client, boss, boss.id)

        assert (answer.status_code, code_of(answer)) == (409, "CONFLICT")
        assert (query(USERS), query(SESSIONS)) == before
        assert act(client, other, boss.id).status_code == 200

    def test_is_refused_to_the_last_one_in_other_words(
        self, client: TestClient, people: People, boss: Person, query: Query, act: Act
    ) -> None:
        """Who is blocked, or a moderator, takes nobody's place."""
        people("root", role="admin", status="blocked")
        people("mo_mo", role="moderator")
        before = query(USERS), query(SESSIONS)

        answer = act(client, boss, boss.id)

        assert (answer.status_code, code_of(answer)) == (409, "LAST_ADMIN")
        assert (query(USERS), query(SESSIONS)) == before
        assert client.get(ACCOUNTS, headers=boss.auth).status_code == 200

    def test_that_it_was_tried_is_kept(
        self, client: TestClient, people: People, boss: Person, query: Query, act: Act
    ) -> None:
        act(client, boss, boss.id)
        people("root", role="admin")
        act(client, boss, boss.id)

        kept = query("SELECT action, actor_id, target_type, target_id FROM audit_logs")
        assert kept == [("authz_fail", boss.id, "user", boss.id)] * 2

    def test_what_takes_nothing_away_is_allowed(
        self, client: TestClient, boss: Person, query: Query
    ) -> None:
        assert change_role(client, boss, boss.id, "admin").status_code == 200
        assert unblock(client, boss, boss.id).status_code == 200
        assert query(AUDIT) == []


def refused_to_log_in(client: TestClient, person: Person) -> bool:
    """As somebody is who does not exist."""
    answers = [log_in(client, email) for email in (person.email, "nobody@example.com")]
    bodies = [answer.json()["error"] | {"request_id": None} for answer in answers]
    assert bodies[0] == bodies[1]
    return [(a.status_code, code_of(a)) for a in answers] == [(401, "INVALID_CREDENTIALS")] * 2
