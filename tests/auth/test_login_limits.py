"""How often a password can be guessed: five times an account, twenty-five times an address."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from tests.auth.flows import Query, Service, at_once, begin, code_of, hashes, log_in, me, sign_up
from tests.people import PASSWORD, Person

WRONG = "not the password"


@pytest.fixture
def behind_a_proxy(service: Service, clean: None) -> TestClient:
    return service(TRUSTED_PROXY_HOPS="1")


def fail(client: TestClient, email: str, times: int) -> list[int]:
    return [log_in(client, email, WRONG).status_code for _ in range(times)]


class TestOneAccount:
    """A7: five failures in fifteen minutes, counted in PostgreSQL."""

    def test_the_sixth_attempt_is_refused_from_any_address(
        self, behind_a_proxy: TestClient, ada: Person, bob: Person
    ) -> None:
        for number in range(5):
            seen = {"X-Forwarded-For": f"192.0.2.{number}"}
            assert log_in(behind_a_proxy, ada.email, WRONG, headers=seen).status_code == 401
        before = hashes()

        response = log_in(
            behind_a_proxy, ada.email, PASSWORD, headers={"X-Forwarded-For": "198.51.100.1"}
        )

        assert (response.status_code, code_of(response)) == (429, "RATE_LIMITED")
        assert 890 < int(response.headers["Retry-After"]) <= 900
        assert hashes() == before
        assert log_in(behind_a_proxy, bob.email).status_code == 200

    def test_the_count_outlives_the_refusal_the_process_and_redis(
        self, client: TestClient, another: TestClient, without_redis: TestClient, ada: Person
    ) -> None:
        assert fail(client, ada.email, 3) == [401] * 3
        assert fail(without_redis, ada.email, 2) == [401] * 2

        assert log_in(another, ada.email).status_code == 429
        assert log_in(without_redis, ada.email).status_code == 429

    def test_spellings_of_one_address_share_the_count(
        self, client: TestClient, ada: Person
    ) -> None:
        """A10."""
        spellings = ("ada@example.com", "ADA@example.com", "Ada@Example.Com", "ada@EXAMPLE.COM")
        for spelling in spellings:
            assert fail(client, spelling, 1) == [401]
        assert log_in(client, " ada@example.com ", WRONG).status_code == 400
        assert fail(client, "aDa@example.com", 1) == [401]

        assert log_in(client, "ada@example.com").status_code == 429

    def test_success_begins_the_count_anew(self, client: TestClient, ada: Person) -> None:
        for _ in range(2):
            assert fail(client, ada.email, 4) == [401] * 4
            begin(client, ada.email)
        assert fail(client, ada.email, 5) == [401] * 5

    def test_many_at_once_guess_no_more_than_five_times(
        self, unlimited: TestClient, ada: Person, query: Query
    ) -> None:
        before = hashes()

        def guess(_: int) -> int:
            """A slow machine asks some to come again, before anything is counted; they do."""
            statuses = (log_in(unlimited, ada.email, WRONG).status_code for _ in range(50))
            return next((each for each in statuses if each != 503), 503)

        statuses = at_once(12, guess)

        assert statuses.count(401) == 5
        assert set(statuses) == {401, 429}
        assert hashes() == before + 5
        assert query("SELECT failures FROM login_failures") == [(5,)]

    def test_refused_attempts_do_not_prolong_the_window(
        self, unlimited: TestClient, ada: Person, query: Query
    ) -> None:
        """A9: it ends fifteen minutes after it began, whatever an attacker does."""
        fail(unlimited, ada.email, 5)
        query("UPDATE login_failures SET window_started_at = now() - interval '14 min 58 s'")
        assert fail(unlimited, ada.email, 3) == [429] * 3
        assert 0 < int(log_in(unlimited, ada.email).headers["Retry-After"]) <= 2

        query("UPDATE login_failures SET window_started_at = now() - interval '15 min'")

        begin(unlimited, ada.email)

    def test_a_new_window_counts_from_one(
        self, unlimited: TestClient, ada: Person, query: Query
    ) -> None:
        fail(unlimited, ada.email, 5)
        query("UPDATE login_failures SET window_started_at = now() - interval '16 min'")

        assert fail(unlimited, ada.email, 6) == [401] * 5 + [429]

    def test_windows_that_are_over_are_cleaned_away(
        self, client: TestClient, ada: Person, query: Query
    ) -> None:
        fail(client, "nobody@example.com", 1)
        query("UPDATE login_failures SET window_started_at = now() - interval '16 min'")

        fail(client, ada.email, 1)

        assert query("SELECT count(*), max(failures) FROM login_failures") == [(1, 1)]

    def test_no_address_of_a_stranger_is_stored(self, client: TestClient, query: Query) -> None:
        fail(client, "nobody@example.com", 1)

        [row] = query("SELECT login_failures::text FROM login_failures")
        assert "nobody" not in str(row)

    def test_the_fifth_failure_is_audited_as_the_lock(
        self, client: TestClient, ada: Person, query: Query
    ) -> None:
        fail(client, ada.email, 7)

        rows = query("SELECT action, target_id, actor_id FROM audit_logs ORDER BY id")
        failure = ("authn_login_fail", ada.id, None)
        assert rows == [*[failure] * 5, ("authn_login_lock", ada.id, None)]

    def test_a_session_that_exists_goes_on(self, client: TestClient, ada: Person) -> None:
        """A9: nobody is locked out of where they are already."""
        login = begin(client, ada.email)

        assert fail(client, ada.email, 6)[-1] == 429

        assert me(client, login.access).status_code == 200


class TestOneAddress:
    """A8: twenty-five attempts in five minutes, whichever accounts."""

    def test_the_twenty_sixth_account_is_refused(self, counted: TestClient) -> None:
        statuses = [log_in(counted, f"nobody{n}@example.com").status_code for n in range(25)]
        assert statuses == [401] * 25
        before = hashes()

        response = log_in(counted, "nobody25@example.com")

        assert (response.status_code, code_of(response)) == (429, "RATE_LIMITED")
        assert 290 < int(response.headers["Retry-After"]) <= 300
        assert hashes() == before
        assert sign_up(counted, "hana").status_code == 201

    def test_malformed_attempts_count_too(self, counted: TestClient, ada: Person) -> None:
        for _ in range(25):
            assert log_in(counted, "no address").status_code == 400

        assert log_in(counted, ada.email).status_code == 429

    def test_the_client_cannot_choose_its_address(self, counted: TestClient) -> None:
        for number in range(25):
            forged = {"X-Forwarded-For": f"192.0.2.{number}, 198.51.100.7"}
            log_in(counted, "no address", headers=forged)

        mine = {"X-Forwarded-For": "203.0.113.9, 198.51.100.7"}
        assert log_in(counted, "no address", headers=mine).status_code == 429
        other = {"X-Forwarded-For": "198.51.100.7, 198.51.100.8"}
        assert log_in(counted, "no address", headers=other).status_code == 400
