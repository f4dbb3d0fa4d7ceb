"""T10, T11: a refresh token works once, and one that comes back ends its session."""

from __future__ import annotations

import httpx
import pytest
from starlette.testclient import TestClient

from api.app import App
from tests.auth.flows import (
    Query,
    at_once,
    begin,
    code_of,
    cookie_of,
    go_on,
    log_out,
    me,
    meanwhile,
    refresh,
)
from tests.people import Person


def age(query: Query, seconds: int) -> None:
    """Let the last refresh be that long ago."""
    query("UPDATE sessions SET refreshed_at = now() - make_interval(secs => :s)", s=seconds)


def refresh_and_log_out(client: TestClient, token: str) -> list[httpx.Response]:
    """At once."""
    return at_once(2, lambda n: log_out(client, token) if n else refresh(client, token))


class TestRefresh:
    def test_gives_a_new_pair_of_tokens(self, client: TestClient, ada: Person) -> None:
        login = begin(client, ada.email)

        response = refresh(client, login.refresh)

        assert response.status_code == 200
        data = response.json()["data"]
        assert (data["token_type"], data["expires_in"]) == ("Bearer", 900)
        assert data["user"]["id"] == str(ada.id)
        assert data["access_token"] != login.access
        assert cookie_of(response) != login.refresh
        assert me(client, data["access_token"]).status_code == 200

    def test_tells_of_the_person_as_they_are_after_it_has_waited(
        self, client: TestClient, app: App, ada: Person, query: Query
    ) -> None:
        """For somebody who holds the session and changes the person, as every write of theirs does."""
        login = begin(client, ada.email)
        change = "SELECT 1 FROM sessions FOR UPDATE; UPDATE users SET bio = 'changed'"

        response = meanwhile(query, app, change, lambda: refresh(client, login.refresh))

        assert response.json()["data"]["user"]["bio"] == "changed"

    def test_leaves_access_tokens_that_were_given_before(
        self, client: TestClient, ada: Person
    ) -> None:
        login = begin(client, ada.email)

        go_on(client, login.refresh)

        assert me(client, login.access).status_code == 200

    def test_needs_no_access_token_but_refuses_a_bad_one(
        self, client: TestClient, ada: Person
    ) -> None:
        """T19."""
        login = begin(client, ada.email)
        bad = {"X-Requested-With": "tests", "Authorization": "Bearer nonsense"}

        assert refresh(client, login.refresh, bad).status_code == 401
        go_on(client, login.refresh)

    @pytest.mark.parametrize("token", ["", "nonsense", "x" * 4000, "refresh_token", '""', "%00"])
    def test_an_unknown_token_is_refused(self, client: TestClient, token: str) -> None:
        response = refresh(client, token)

        assert (response.status_code, code_of(response)) == (401, "UNAUTHORIZED")

    def test_no_cookie_at_all_is_refused(self, client: TestClient) -> None:
        headers = {"X-Requested-With": "tests"}

        assert client.post("/api/v1/auth/refresh", headers=headers).status_code == 401

    def test_only_the_hash_is_stored(self, client: TestClient, ada: Person, query: Query) -> None:
        login = begin(client, ada.email)

        rows = query("SELECT token_hash, refresh_tokens::text FROM refresh_tokens")

        assert len(rows) == 1
        assert login.refresh not in str(rows)
        assert login.refresh.encode().hex() not in str(rows)


class TestReuse:
    """T10."""

    def test_an_old_token_ends_the_session_everywhere(
        self, client: TestClient, another: TestClient, ada: Person, query: Query
    ) -> None:
        first = begin(client, ada.email)
        second = go_on(client, first.refresh)
        third = go_on(client, second.refresh)

        response = refresh(client, first.refresh)

        assert (response.status_code, code_of(response)) == (401, "UNAUTHORIZED")
        for instance in (another, client):
            assert refresh(instance, third.refresh).status_code == 401
            for login in (first, second, third):
                assert me(instance, login.access).status_code == 401
        assert query("SELECT end_reason FROM sessions WHERE ended_at IS NOT NULL") == [
            ("token_reuse",)
        ]

    def test_is_audited_once(self, client: TestClient, ada: Person, query: Query) -> None:
        first = begin(client, ada.email)
        third = go_on(client, go_on(client, first.refresh).refresh)

        for token in (first.refresh, first.refresh, third.refresh):
            refresh(client, token)

        rows = query("SELECT target_id, ip FROM audit_logs WHERE action = 'authn_token_reuse'")
        assert rows == [(ada.id, "testclient")]

    def test_ends_no_other_session(self, client: TestClient, ada: Person, bob: Person) -> None:
        phone, laptop, other = (begin(client, p.email) for p in (ada, ada, bob))
        go_on(client, go_on(client, phone.refresh).refresh)

        assert refresh(client, phone.refresh).status_code == 401

        assert me(client, laptop.access).status_code == 200
        go_on(client, laptop.refresh)
        go_on(client, other.refresh)

    def test_the_one_before_the_last_counts_as_old_after_ten_seconds(
        self, client: TestClient, ada: Person, query: Query
    ) -> None:
        first = begin(client, ada.email)
        second = go_on(client, first.refresh)
        age(query, 11)

        assert refresh(client, first.refresh).status_code == 401

        assert refresh(client, second.refresh).status_code == 401
        assert me(client, second.access).status_code == 401

    def test_an_older_one_ends_the_session_within_the_ten_seconds_too(
        self, client: TestClient, ada: Person
    ) -> None:
        """R(n-2): two refreshes in a hurry do not open a window for a thief."""
        first = begin(client, ada.email)
        third = go_on(client, go_on(client, first.refresh).refresh)

        assert refresh(client, first.refresh).status_code == 401

        assert refresh(client, third.refresh).status_code == 401

    def test_does_not_need_redis(
        self, without_redis: TestClient, client: TestClient, ada: Person
    ) -> None:
        first = begin(without_redis, ada.email)
        third = go_on(without_redis, go_on(without_redis, first.refresh).refresh)

        assert refresh(without_redis, first.refresh).status_code == 401

        assert me(without_redis, third.access).status_code == 401
        assert me(client, third.access).status_code == 401


class TestGrace:
    """T11: a browser with two tabs, or a lost answer, is no thief."""

    def test_the_token_just_replaced_is_a_conflict_that_ends_nothing(
        self, client: TestClient, ada: Person, query: Query
    ) -> None:
        first = begin(client, ada.email)
        second = go_on(client, first.refresh)

        response = refresh(client, first.refresh)

        assert (response.status_code, code_of(response)) == (409, "REFRESH_IN_PROGRESS")
        assert "Set-Cookie" not in response.headers
        assert me(client, second.access).status_code == 200
        go_on(client, second.refresh)
        assert query("SELECT count(*) FROM audit_logs WHERE action = 'authn_token_reuse'") == [(0,)]

    def test_still_holds_nine_seconds_later(
        self, client: TestClient, ada: Person, query: Query
    ) -> None:
        first = begin(client, ada.email)
        second = go_on(client, first.refresh)
        age(query, 8)

        assert refresh(client, first.refresh).status_code == 409
        go_on(client, second.refresh)

    def test_asking_again_does_not_prolong_it(
        self, client: TestClient, ada: Person, query: Query
    ) -> None:
        first = begin(client, ada.email)
        second = go_on(client, first.refresh)
        age(query, 8)
        assert refresh(client, first.refresh).status_code == 409
        query("UPDATE sessions SET refreshed_at = refreshed_at - interval '3 s'")

        assert refresh(client, first.refresh).status_code == 401

        assert refresh(client, second.refresh).status_code == 401

    def test_ten_at_once_make_one_successor(
        self, unlimited: TestClient, ada: Person, query: Query
    ) -> None:
        login = begin(unlimited, ada.email)

        responses = at_once(10, lambda _: refresh(unlimited, login.refresh))

        statuses = sorted(response.status_code for response in responses)
        assert statuses == [200] + [409] * 9
        [winner] = [response for response in responses if response.status_code == 200]
        assert query("SELECT count(*) FROM refresh_tokens") == [(2,)]
        assert me(unlimited, winner.json()["data"]["access_token"]).status_code == 200
        go_on(unlimited, cookie_of(winner))

    def test_two_instances_agree_on_one_successor(
        self, unlimited: TestClient, another: TestClient, ada: Person
    ) -> None:
        login = begin(unlimited, ada.email)
        instances = (unlimited, another)

        responses = at_once(8, lambda n: refresh(instances[n % 2], login.refresh))

        assert sorted(r.status_code for r in responses) == [200] + [409] * 7

    def test_refresh_and_logout_at_once_leave_nothing_alive(
        self, unlimited: TestClient, ada: Person
    ) -> None:
        for _ in range(5):
            login = begin(unlimited, ada.email)

            refreshed, ended = refresh_and_log_out(unlimited, login.refresh)

            assert ended.status_code == 204
            assert refreshed.status_code in (200, 401)
            assert me(unlimited, login.access).status_code == 401
            if refreshed.status_code == 200:
                assert refresh(unlimited, cookie_of(refreshed)).status_code == 401
