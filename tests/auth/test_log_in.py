from __future__ import annotations

import httpx
import pytest
from argon2 import PasswordHasher
from redis import Redis
from starlette.testclient import TestClient

from tests.auth.flows import (
    COOKIE,
    Login,
    Query,
    begin,
    code_of,
    cookie_of,
    hashes,
    log_in,
    me,
    refresh,
    sign_up,
)
from tests.people import PASSWORD, People, Person


class TestLogIn:
    def test_gives_an_access_token_and_the_account(self, client: TestClient, ada: Person) -> None:
        response = log_in(client, ada.email)

        assert response.status_code == 200
        data = response.json()["data"]
        assert data.keys() == {"access_token", "token_type", "expires_in", "user"}
        assert (data["token_type"], data["expires_in"]) == ("Bearer", 900)
        assert data["user"]["id"] == str(ada.id)
        assert me(client, data["access_token"]).json()["data"] == data["user"]

    def test_knows_the_address_in_any_case(self, client: TestClient, ada: Person) -> None:
        assert log_in(client, "ADA@example.COM").status_code == 200

    def test_begins_a_session_beside_the_others(
        self, client: TestClient, ada: Person, query: Query
    ) -> None:
        begin(client, ada.email)

        assert query("SELECT count(*) FROM sessions WHERE ended_at IS NULL") == [(2,)]
        assert me(client, ada.token).status_code == 200

    def test_takes_away_sessions_that_are_over(
        self, client: TestClient, ada: Person, bob: Person, query: Query
    ) -> None:
        query("UPDATE sessions SET created_at = now() - interval '31 days'")

        login = begin(client, ada.email)

        assert query("SELECT user_id FROM sessions WHERE user_id <> :ada", ada=ada.id) == [
            (bob.id,)
        ]
        assert query("SELECT count(*) FROM sessions WHERE user_id = :ada", ada=ada.id) == [(1,)]
        assert me(client, login.access).status_code == 200

    def test_is_audited_under_the_person(
        self, client: TestClient, ada: Person, query: Query
    ) -> None:
        log_in(client, ada.email)

        rows = query("SELECT action, actor_id, target_id, ip FROM audit_logs")
        assert rows == [("authn_login_success", ada.id, ada.id, "testclient")]

    def test_a_bad_token_is_refused_before_the_password_is_looked_at(
        self, client: TestClient, ada: Person
    ) -> None:
        """T19."""
        before = hashes()

        response = log_in(client, ada.email, headers={"Authorization": "Bearer nonsense"})

        assert (response.status_code, code_of(response)) == (401, "UNAUTHORIZED")
        assert hashes() == before

    def test_does_not_take_over_a_token_that_was_there_before(
        self, client: TestClient, ada: Person
    ) -> None:
        """C6: a cookie that somebody planted never becomes the session that begins."""
        planted = "planted-by-somebody-else-0123456789abcdefghi"

        response = log_in(client, ada.email, headers={"Cookie": f"{COOKIE}={planted}"})

        assert cookie_of(response) not in ("", planted)
        assert refresh(client, planted).status_code == 401

    def test_does_not_go_on_with_the_session_of_somebody_else(
        self, client: TestClient, ada: Person, bob: Person, query: Query
    ) -> None:
        """C6."""
        theirs = begin(client, bob.email)

        response = log_in(client, ada.email, headers={"Cookie": f"{COOKIE}={theirs.refresh}"})

        mine = Login.of(response)
        sessions = query("SELECT DISTINCT session_id FROM refresh_tokens")
        assert len(sessions) == 2
        user = refresh(client, mine.refresh).json()["data"]["user"]
        assert user["id"] == str(ada.id)


class TestOneAnswer:
    """A5: nobody learns from a login whether there is such an account."""

    @pytest.fixture
    def blocked(self, people: People) -> Person:
        return people("eve", status="blocked")

    def test_unknown_wrong_and_blocked_look_the_same(
        self, client: TestClient, ada: Person, blocked: Person, redis: Redis
    ) -> None:
        attempts = {
            "unknown": ("nobody@example.com", PASSWORD),
            "wrong": (ada.email, "not her password"),
            "blocked": (blocked.email, PASSWORD),
            "blocked and wrong": (blocked.email, "not her password"),
        }
        answers = []
        for email, password in attempts.values():
            redis.flushdb()
            before = hashes()
            response = log_in(client, email, password)
            assert hashes() == before + 1
            answers.append(_but_ids(response))

        assert answers[0][0] == 401
        assert answers[0][1]["error"]["code"] == "INVALID_CREDENTIALS"
        assert answers == [answers[0]] * len(attempts)

    def test_success_costs_one_hash_as_well(self, client: TestClient, ada: Person) -> None:
        before = hashes()

        begin(client, ada.email)

        assert hashes() == before + 1

    def test_after_five_failures_an_unknown_account_looks_like_a_known_one(
        self, unlimited: TestClient, ada: Person
    ) -> None:
        answers = []
        for email in (ada.email, "nobody@example.com"):
            last = [log_in(unlimited, email, "not the password") for _ in range(6)][-1]
            answers.append((last.status_code, code_of(last), last.headers.keys()))

        assert answers[0] == answers[1]
        assert answers[0][0] == 429


class TestPassword:
    PHRASE = "산 위에서 부는 바람 🌬️ seven quiet magpies on a wire, and one is " + "x" * 60

    def test_a_long_phrase_is_compared_to_its_last_character(self, client: TestClient) -> None:
        """A3."""
        assert len(self.PHRASE) > 100
        assert sign_up(client, "hana", password=self.PHRASE).status_code == 201

        assert log_in(client, "hana@example.com", self.PHRASE).status_code == 200
        for wrong in (self.PHRASE[:-1] + "y", self.PHRASE[:99] + "y" + self.PHRASE[100:]):
            assert log_in(client, "hana@example.com", wrong).status_code == 401

    @pytest.mark.parametrize(
        "other",
        [
            "caf\N{LATIN SMALL LETTER E WITH ACUTE} au lait",
            "cafe\N{COMBINING ACUTE ACCENT} au lait  ",
            " cafe\N{COMBINING ACUTE ACCENT} au lait ",
            "Cafe\N{COMBINING ACUTE ACCENT} au lait ",
        ],
    )
    def test_is_not_trimmed_folded_or_normalised(self, client: TestClient, other: str) -> None:
        """A3."""
        exact = "cafe\N{COMBINING ACUTE ACCENT} au lait "
        sign_up(client, "hana", password=exact)

        assert log_in(client, "hana@example.com", other).status_code == 401
        assert log_in(client, "hana@example.com", exact).status_code == 200

    @pytest.mark.parametrize("size", [7, 129, 50_000])
    def test_one_out_of_bounds_is_never_hashed(
        self, client: TestClient, ada: Person, size: int
    ) -> None:
        """A2."""
        before = hashes()

        assert log_in(client, ada.email, "p" * size).status_code == 400
        assert hashes() == before

    def test_a_weaker_hash_is_renewed(self, client: TestClient, ada: Person, query: Query) -> None:
        """A1."""
        weak = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(PASSWORD)
        query("UPDATE users SET password_hash = :weak", weak=weak)

        begin(client, ada.email)

        [(stored,)] = query("SELECT password_hash FROM users")
        assert str(stored).startswith("$argon2id$v=19$m=19456,t=2,p=1$")
        begin(client, ada.email)
        assert query("SELECT password_hash FROM users") == [(stored,)]

    def test_a_wrong_one_renews_nothing(
        self, client: TestClient, ada: Person, query: Query
    ) -> None:
        weak = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(PASSWORD)
        query("UPDATE users SET password_hash = :weak", weak=weak)

        assert log_in(client, ada.email, "not her password").status_code == 401
        assert query("SELECT password_hash FROM users") == [(weak,)]

    @pytest.mark.parametrize("broken", ["", "!", "$argon2id$v=19$m=19456,t=2,p=1$", "plain text"])
    def test_a_hash_that_cannot_be_read_lets_nobody_in(
        self, client: TestClient, ada: Person, query: Query, broken: str
    ) -> None:
        query("UPDATE users SET password_hash = :broken", broken=broken)

        assert log_in(client, ada.email).status_code == 401


def _but_ids(response: httpx.Response) -> tuple[int, dict[str, dict[str, object]], dict[str, str]]:
    body = response.json()
    del body["error"]["request_id"]
    headers = {
        name: value
        for name, value in response.headers.items()
        if name not in ("x-request-id", "traceparent")
    }
    return response.status_code, body, headers
