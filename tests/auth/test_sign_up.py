from __future__ import annotations

from contextlib import redirect_stdout
from io import StringIO
from random import Random

import pytest
from flask_migrate import upgrade
from starlette.testclient import TestClient

from api.app import App
from api.infra import passwords
from tests.auth.flows import Query, at_once, code_of, hashes, log_in, sign_up
from tests.people import PASSWORD, Person


class TestSignUp:
    def test_makes_an_account_and_no_token(self, client: TestClient) -> None:
        response = sign_up(client, "hana", email="Hana@Example.com")

        assert response.status_code == 201
        account = response.json()["data"]
        assert account.keys() == {
            "id", "username", "bio", "created_at", "post_count", "email", "role", "status",
            "updated_at",
        }  # fmt: skip
        assert (account["username"], account["email"]) == ("hana", "Hana@Example.com")
        assert (account["role"], account["status"]) == ("user", "active")
        assert (account["bio"], account["post_count"]) == (None, 0)
        assert "Set-Cookie" not in response.headers
        assert log_in(client, "hana@example.com").json()["data"]["user"] == account

    def test_leaves_an_audit_row(self, client: TestClient, query: Query) -> None:
        account = sign_up(client, "hana").json()["data"]

        rows = query("SELECT action, target_id::text FROM audit_logs")

        assert rows == [("user_created", account["id"])]

    def test_a_bad_token_is_not_taken_for_nobody(self, client: TestClient, query: Query) -> None:
        """T19."""
        body = {"email": "hana@example.com", "username": "hana", "password": PASSWORD}
        bad = {"Authorization": "Bearer nonsense"}

        response = client.post("/api/v1/auth/signup", json=body, headers=bad)

        assert response.status_code == 401
        assert 'error="invalid_token"' in response.headers["WWW-Authenticate"]
        assert query("SELECT count(*) FROM users") == [(0,)]


class TestNamesAreUnique:
    """A11, X1."""

    @pytest.mark.parametrize("email", ["ada@example.com", "ADA@Example.COM"])
    def test_an_address_in_any_case_is_taken_once(
        self, client: TestClient, ada: Person, query: Query, email: str
    ) -> None:
        response = sign_up(client, "other", email=email)

        assert response.status_code == 409
        assert code_of(response) == "EMAIL_TAKEN"
        assert response.json()["error"]["details"] == {"email": "is taken"}
        assert query("SELECT username FROM users") == [("ada",)]

    def test_a_username_is_taken_once(self, client: TestClient, ada: Person) -> None:
        response = sign_up(client, "ada", email="other@example.com")

        assert response.status_code == 409
        assert code_of(response) == "USERNAME_TAKEN"
        assert response.json()["error"]["details"] == {"username": "is taken"}

    def test_a_refusal_costs_no_hash(self, client: TestClient, ada: Person) -> None:
        """A2: else many at once would keep each other waiting until they are turned away."""
        before = hashes()

        assert sign_up(client, "ada", email="other@example.com").status_code == 409
        assert sign_up(client, "other", email=ada.email).status_code == 409
        assert hashes() == before

    def test_fifty_at_once_make_one_account(
        self, unlimited: TestClient, query: Query, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # However slow this machine is: that nobody waits long for a hash has tests of its own.
        monkeypatch.setattr("api.web.asgi.gate.PATIENCE", 30)
        responses = at_once(50, lambda n: sign_up(unlimited, "hana", email=f"h{n}@example.com"))

        statuses = sorted(response.status_code for response in responses)
        assert statuses == [201, *[409] * 49]
        assert {code_of(r) for r in responses if r.status_code == 409} == {"USERNAME_TAKEN"}
        assert query("SELECT username FROM users") == [("hana",)]


class TestLookAlikes:
    """A12: nobody can take a name that reads like another's, or like the service's own."""

    @pytest.mark.parametrize(
        "username",
        [
            "Hana",
            "\N{KELVIN SIGN}im",
            "h\N{CYRILLIC SMALL LETTER A}na",
            "ha\N{ZERO WIDTH JOINER}na",
            "hana\n",
            " hana",
            "ha na",
            "hana\N{COMBINING ACUTE ACCENT}",
            "ha",
            "h" * 31,
            "admin",
            "support",
            "root",
            "null",
        ],
    )
    def test_are_refused(self, client: TestClient, query: Query, username: str) -> None:
        response = sign_up(client, username, email="hana@example.com")

        assert response.status_code == 400
        assert response.json()["error"]["details"].keys() == {"username"}
        assert query("SELECT count(*) FROM users") == [(0,)]

    @pytest.mark.parametrize(
        "email", [" hana@example.com", "hana@example.com\n", "ĥana@example.com"]
    )
    def test_are_refused_in_addresses(self, client: TestClient, email: str) -> None:
        assert sign_up(client, "hana", email=email).status_code == 400


class TestPassword:
    def test_common_ones_are_a_conflict(self, client: TestClient, query: Query) -> None:
        response = sign_up(client, "hana", password="Password")

        assert response.status_code == 409
        assert code_of(response) == "PASSWORD_TOO_COMMON"
        assert query("SELECT count(*) FROM users") == [(0,)]

    def test_fifty_of_the_list_are_refused(self, unlimited: TestClient) -> None:
        """A4."""
        common = Random(4).sample(sorted(passwords._common()), 50)
        before = hashes()

        responses = [sign_up(unlimited, "hana", password=password) for password in common]

        assert {code_of(response) for response in responses} == {"PASSWORD_TOO_COMMON"}
        assert hashes() == before

    def test_no_rule_asks_for_kinds_of_characters(self, client: TestClient) -> None:
        assert sign_up(client, "hana", password="fourquietmagpie").status_code == 201

    def test_only_its_hash_is_stored(self, client: TestClient, query: Query) -> None:
        """A1: argon2id with the parameters that OWASP advises."""
        sign_up(client, "hana")

        [(stored,)] = query("SELECT password_hash FROM users")

        assert str(stored).startswith("$argon2id$v=19$m=19456,t=2,p=1$")

    @pytest.mark.parametrize(
        ("password", "status"), [("p" * 129, 400), ("p" * 7, 400), ("p" * 1_000_000, 413)]
    )
    def test_one_out_of_bounds_is_never_hashed(
        self, client: TestClient, password: str, status: int
    ) -> None:
        """A2."""
        before = hashes()

        assert sign_up(client, "hana", password=password).status_code == status
        assert hashes() == before


def test_the_eleventh_sign_up_of_an_hour_is_refused(counted: TestClient, query: Query) -> None:
    """A6: refused before a hash is computed, and for taken names too."""
    for _ in range(10):
        assert sign_up(counted, "hana", password="password").status_code == 409
    before = hashes()

    response = sign_up(counted, "hana")

    assert response.status_code == 429
    assert 3500 < int(response.headers["Retry-After"]) <= 3600
    assert hashes() == before
    assert query("SELECT count(*) FROM users") == [(0,)]


class TestDefaultAccounts:
    """A15."""

    def test_the_migrations_make_none(self, app: App) -> None:
        statements = StringIO()
        with app.flask.app_context(), redirect_stdout(statements):
            upgrade(sql=True)

        inserts = [s for s in statements.getvalue().upper().split(";") if "INSERT INTO" in s]
        assert "CREATE TABLE USERS" in statements.getvalue().upper()
        assert {s.split("INSERT INTO ")[1].split()[0] for s in inserts} == {
            "ALEMBIC_VERSION",
            "POST_TOTALS",
        }

    def test_the_usual_ones_do_not_work(self, client: TestClient) -> None:
        names = ("admin", "root", "demo", "test", "madang")
        guesses = ("password", "12345678", "changeme", "admin1234")
        for name in names:
            for guess in guesses:
                response = log_in(client, f"{name}@example.com", guess)
                assert (response.status_code, code_of(response)) == (401, "INVALID_CREDENTIALS")
