"""How a session ends, and that nothing brings it back."""

from __future__ import annotations

from typing import cast
from uuid import UUID

import pytest
from redis import Redis
from starlette.testclient import TestClient

from tests.auth.flows import Query, begin, code_of, cookie_of, go_on, log_out, me, refresh
from tests.people import People, Person

DAYS = "UPDATE sessions SET {column} = {column} - make_interval(days => :days)"


class TestLogOut:
    """T9."""

    def test_ends_access_and_refresh_at_once_and_everywhere(
        self, client: TestClient, another: TestClient, ada: Person
    ) -> None:
        first = begin(client, ada.email)
        second = go_on(client, first.refresh)

        response = log_out(client, second.refresh)

        assert response.status_code == 204
        assert cookie_of(response) == ""
        assert "Max-Age=0" in response.headers["Set-Cookie"]
        for instance in (another, client):
            assert me(instance, first.access).status_code == 401
            assert me(instance, second.access).status_code == 401
            assert refresh(instance, second.refresh).status_code == 401

    def test_the_token_counts_nowhere_any_more(self, client: TestClient, ada: Person) -> None:
        """Not on open operations, and not as nobody either (T19)."""
        login = begin(client, ada.email)
        log_out(client, login.refresh)

        for path in ("/api/v1/posts", "/api/v1/users/me"):
            response = client.get(path, headers=login.auth)
            assert (response.status_code, code_of(response)) == (401, "UNAUTHORIZED")
            assert 'error="invalid_token"' in response.headers["WWW-Authenticate"]

    def test_other_sessions_go_on(self, client: TestClient, ada: Person) -> None:
        phone, laptop = begin(client, ada.email), begin(client, ada.email)

        log_out(client, phone.refresh)

        assert me(client, laptop.access).status_code == 200
        go_on(client, laptop.refresh)

    def test_with_a_token_that_was_replaced_ends_the_session_too(
        self, client: TestClient, ada: Person
    ) -> None:
        first = begin(client, ada.email)
        second = go_on(client, first.refresh)

        assert log_out(client, first.refresh).status_code == 204

        assert me(client, second.access).status_code == 401

    def test_twice_is_refused(self, client: TestClient, ada: Person) -> None:
        login = begin(client, ada.email)
        log_out(client, login.refresh)

        assert log_out(client, login.refresh).status_code == 401

    def test_is_audited(self, client: TestClient, ada: Person, query: Query) -> None:
        log_out(client, begin(client, ada.email).refresh)

        rows = query("SELECT target_id FROM audit_logs WHERE action = 'authn_token_revoked'")
        assert rows == [(ada.id,)]
        assert query("SELECT end_reason FROM sessions WHERE ended_at IS NOT NULL") == [("logout",)]


class TestRedisIsNoAuthority:
    """T12, T13: the deny list may be empty or gone; what ended stays ended."""

    def test_an_emptied_redis_revives_nothing(
        self, client: TestClient, ada: Person, redis: Redis
    ) -> None:
        login = begin(client, ada.email)
        log_out(client, login.refresh)

        redis.flushdb()

        assert me(client, login.access).status_code == 401
        assert refresh(client, login.refresh).status_code == 401

    def test_logout_works_where_redis_cannot_be_reached(
        self, client: TestClient, without_redis: TestClient, ada: Person
    ) -> None:
        login = begin(without_redis, ada.email)

        assert log_out(without_redis, login.refresh).status_code == 204

        for instance in (without_redis, client):
            assert me(instance, login.access).status_code == 401
            assert refresh(instance, login.refresh).status_code == 401

    def test_the_entry_lives_as_long_as_any_access_token_of_the_session(
        self, client: TestClient, ada: Person, redis: Redis, query: Query
    ) -> None:
        """The last one may have been made the moment before: 15 minutes and the leeway."""
        login = go_on(client, begin(client, ada.email).refresh)

        log_out(client, login.refresh)

        [(session_id,)] = query("SELECT id FROM sessions WHERE ended_at IS NOT NULL")
        assert cast(int, redis.ttl(f"denied:{session_id}")) >= 15 * 60 + 10 - 2

    def test_a_refresh_token_stays_dead_when_the_entry_is_gone(
        self, client: TestClient, ada: Person, redis: Redis, query: Query
    ) -> None:
        """Sixteen minutes after the logout: a deny list alone would have forgotten."""
        login = begin(client, ada.email)
        log_out(client, login.refresh)
        redis.flushdb()
        for column in ("created_at", "refreshed_at", "ended_at"):
            query(f"UPDATE sessions SET {column} = {column} - interval '16 min'")

        assert refresh(client, login.refresh).status_code == 401

    def test_a_denied_session_is_refused_before_the_database_knows(
        self, client: TestClient, ada: Person, redis: Redis
    ) -> None:
        redis.set(f"denied:{ada.session_id}", 1)

        assert me(client, ada.token).status_code == 401


class TestPersonChanges:
    """T14: read with every request, so each change counts from the next one on."""

    def test_blocked(self, client: TestClient, ada: Person, query: Query) -> None:
        login = begin(client, ada.email)

        query("UPDATE users SET status = 'blocked'")

        for response in (me(client, login.access), refresh(client, login.refresh)):
            assert (response.status_code, code_of(response)) == (401, "UNAUTHORIZED")
        assert log_out(client, login.refresh).status_code == 401

    def test_unblocking_does_not_revive_a_session_that_ended(
        self, client: TestClient, ada: Person, query: Query
    ) -> None:
        login = begin(client, ada.email)
        log_out(client, login.refresh)
        query("UPDATE users SET status = 'blocked'")

        query("UPDATE users SET status = 'active'")

        assert me(client, login.access).status_code == 401
        assert refresh(client, login.refresh).status_code == 401

    def test_deleted(self, client: TestClient, ada: Person, query: Query) -> None:
        login = begin(client, ada.email)

        query("DELETE FROM users")

        assert me(client, login.access).status_code == 401
        assert refresh(client, login.refresh).status_code == 401
        assert client.get("/api/v1/posts", headers=login.auth).status_code == 401

    def test_demoted(self, client: TestClient, people: People, query: Query) -> None:
        """The role stands in no token."""
        login = begin(client, people("root", role="admin").email)
        people("boss", role="admin")

        query("UPDATE users SET role = 'user' WHERE username = 'root'")

        assert me(client, login.access).json()["data"]["role"] == "user"
        assert client.delete("/api/v1/users/me", headers=login.auth).status_code == 204

    def test_a_token_of_one_person_never_opens_the_session_of_another(
        self, client: TestClient, ada: Person, bob: Person, query: Query
    ) -> None:
        query("UPDATE sessions SET user_id = :bob WHERE id = :id", bob=bob.id, id=ada.session_id)

        assert me(client, ada.token).status_code == 401


class TestTime:
    """T15."""

    @pytest.mark.parametrize(("column", "days"), [("refreshed_at", 7), ("created_at", 30)])
    def test_a_session_is_over_after(
        self, client: TestClient, ada: Person, query: Query, column: str, days: int
    ) -> None:
        """Seven days without use, thirty in all."""
        login = begin(client, ada.email)
        query(DAYS.format(column=column), days=days)

        assert me(client, login.access).status_code == 401
        response = refresh(client, login.refresh)
        assert (response.status_code, code_of(response)) == (401, "UNAUTHORIZED")
        assert log_out(client, login.refresh).status_code == 401

    @pytest.mark.parametrize(("column", "days"), [("refreshed_at", 6), ("created_at", 29)])
    def test_and_is_not_the_day_before(
        self, client: TestClient, ada: Person, query: Query, column: str, days: int
    ) -> None:
        login = begin(client, ada.email)
        query(DAYS.format(column=column), days=days)

        assert me(client, login.access).status_code == 200
        go_on(client, login.refresh)

    def test_refreshing_daily_does_not_get_beyond_thirty_days(
        self, unlimited: TestClient, ada: Person, query: Query
    ) -> None:
        login = begin(unlimited, ada.email)
        for _ in range(29):
            self._sleep_a_day(query, ada.id)
            login = go_on(unlimited, login.refresh)

        self._sleep_a_day(query, ada.id)

        assert refresh(unlimited, login.refresh).status_code == 401
        assert me(unlimited, login.access).status_code == 401

    @staticmethod
    def _sleep_a_day(query: Query, user_id: UUID) -> None:
        query(
            "UPDATE sessions SET created_at = created_at - interval '1 day',"
            " refreshed_at = refreshed_at - interval '1 day' WHERE user_id = :id",
            id=user_id,
        )
