"""Access tokens as they travel: in one header, on every operation, and nowhere else."""

from __future__ import annotations

import time
from random import Random

import pytest
from sqlalchemy.orm import Session
from starlette.testclient import TestClient

from api.app import App
from api.auth import service as auth
from api.infra.actor import anonymous
from api.infra.db import db
from tests.auth.flows import PROGRAM, Service, begin, code_of, log_out, me, refresh
from tests.conftest import ORIGIN, SECRET
from tests.infra.forgery import claims_of, flipped, header_of, random_headers, reshaped, sign
from tests.people import People, Person
from tests.spec import CONTRACT

NOBODY = anonymous("local", "test")
ME = "/api/v1/users/me"
NEW_SECRET = "the signing key that comes next, 32 bytes"
OPERATIONS = [
    (operation.method, operation.path.replace("{id}", "01a20547-abc9-7556-b949-68714accd4b0"))
    for operation in CONTRACT.operations.values()
    if not operation.is_root
]


class TestEveryOperation:
    """T19: a bad token is never taken for nobody."""

    @pytest.mark.parametrize(
        "value",
        ["Bearer nonsense", "Bearer ", "Bearer", "", "Basic YTpi", "Token x", "bearer a.b.c"],
    )
    def test_refuses_a_bad_one(self, unlimited: TestClient, value: str) -> None:
        for method, path in OPERATIONS:
            headers = {**PROGRAM, "Authorization": value}
            response = unlimited.request(method, path, headers=headers)

            assert (response.status_code, code_of(response)) == (401, "UNAUTHORIZED")
            challenge = response.headers["WWW-Authenticate"]
            assert challenge == 'Bearer realm="madang", error="invalid_token"'

    def test_says_of_an_old_one_that_it_has_expired(
        self, unlimited: TestClient, ada: Person
    ) -> None:
        claims = claims_of(ada.token) | {"exp": int(time.time()) - 60}
        expired = {"Authorization": f"Bearer {sign(header_of(ada.token), claims, SECRET)}"}
        for method, path in OPERATIONS:
            response = unlimited.request(method, path, headers={**PROGRAM, **expired})

            assert (response.status_code, code_of(response)) == (401, "TOKEN_EXPIRED")


class TestHeader:
    @pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
    def test_the_scheme_has_no_case(self, client: TestClient, ada: Person, scheme: str) -> None:
        """T20."""
        headers = {"Authorization": f"{scheme} {ada.token}"}

        assert client.get(ME, headers=headers).status_code == 200

    @pytest.mark.parametrize("name", ["access_token", "jwt", "token", "authorization", "bearer"])
    def test_a_token_in_the_url_is_refused(
        self, client: TestClient, ada: Person, name: str
    ) -> None:
        """T17: it would stand in logs and histories."""
        assert client.get(ME, params={name: ada.token}).status_code == 401
        response = client.get("/api/v1/posts", params={name: ada.token})
        assert response.status_code == 400
        assert ada.token not in response.text

    def test_a_token_in_another_header_or_a_body_is_none(
        self, client: TestClient, ada: Person
    ) -> None:
        for name in ("X-Access-Token", "X-Authorization", "Proxy-Authorization", "X-API-Key"):
            headers = {name: f"Bearer {ada.token}"}
            assert client.get(ME, headers=headers).status_code == 401
        body = {"access_token": ada.token}
        assert client.post("/api/v1/posts", json=body).status_code == 401

    @pytest.mark.parametrize("first", ["valid", "invalid"])
    def test_two_headers_are_refused(self, client: TestClient, ada: Person, first: str) -> None:
        values = [f"Bearer {ada.token}", "Bearer nonsense"]
        if first == "invalid":
            values.reverse()

        response = client.get(ME, headers=[("Authorization", value) for value in values])

        assert response.status_code == (400 if first == "valid" else 401)

    def test_two_tokens_in_one_header_are_none(self, client: TestClient, ada: Person) -> None:
        for between in (" ", ", ", ",", ", Bearer "):
            headers = {"Authorization": f"Bearer {ada.token}{between}{ada.token}"}
            assert client.get(ME, headers=headers).status_code == 401

    def test_another_spelling_does_not_get_past_a_logout(
        self, client: TestClient, ada: Person
    ) -> None:
        """T18."""
        login = begin(client, ada.email)
        log_out(client, login.refresh)

        for spelling in (login.access, login.access + "=", login.access + "==", f" {login.access}"):
            assert me(client, spelling).status_code == 401


class TestForged:
    def test_none_is_accepted_on_the_wire(self, unlimited: TestClient, people: People) -> None:
        """T7: as many as fit into a moment; the rest are tried where tokens are verified."""
        random = Random(11)
        ada, bob = people("ada"), people("bob")
        forged = [
            *random.sample(list(flipped(ada.token, random)), 150),
            *random.sample(list(random_headers(ada.token, random)), 150),
            *reshaped(bob.token),
        ]
        sendable = {token for token in forged if token.isascii() and token.isprintable()}
        sendable -= {ada.token, bob.token, bob.token + " "}

        statuses = {me(unlimited, token).status_code for token in sendable}

        assert len(sendable) > 300
        assert statuses == {401}
        assert me(unlimited, ada.token).status_code == 200

    def test_no_made_up_refresh_token_is_accepted(
        self, unlimited: TestClient, app: App, ada: Person, bob: Person
    ) -> None:
        random = Random(13)
        tokens = [begin(unlimited, person.email).refresh for person in (ada, bob)]
        forged = sorted(made_up(tokens, random) - set(tokens))

        with app.flask.app_context():
            assert not any(_is_known(db.session(), token) for token in forged)
            assert all(_is_known(db.session(), token) for token in tokens)
        sent = random.sample(forged, 100)
        assert {refresh(unlimited, value).status_code for value in sent} == {401}

        assert len(forged) >= 1000
        assert [refresh(unlimited, token).status_code for token in tokens] == [200, 200]


def made_up(tokens: list[str], random: Random) -> set[str]:
    """Refresh tokens that were not given out, most of them nearly one that was."""
    first, second = tokens
    values = {near for token in tokens for _ in range(6) for near in flipped(token, random)}
    for size in range(len(first)):
        values |= {first[:size], first[size:], first[:size] + second[size:]}
    for token in tokens:
        values |= {token.swapcase(), token[::-1], token * 2, token.lower(), f'"{token}"'}
        values |= {token + more for more in ("=", "A", "%20", "\\", ",x", "/")}
    return values | {random.randbytes(32).hex() for _ in range(400)}


def _is_known(session: Session, token: str) -> bool:
    """As the service asks; ``SessionOver`` and nothing else is how it says no."""
    try:
        auth.refresh(session, NOBODY, token=token, deny=lambda _: None)
    except auth.SessionOver:
        return False
    session.rollback()
    return True


class TestOtherEnvironments:
    """T6."""

    def test_a_token_of_another_host_or_key_is_refused(
        self, client: TestClient, service: Service, ada: Person
    ) -> None:
        staging = service(RATE_LIMIT_SCALE="1000", PUBLIC_URL="https://staging.madang.example")
        elsewhere = service(RATE_LIMIT_SCALE="1000", JWT_SECRET_KEY=NEW_SECRET)

        for other in (staging, elsewhere):
            login = begin(other, ada.email)
            other.cookies.clear()
            assert me(other, login.access).status_code == 200
            assert me(client, login.access).status_code == 401
            assert me(other, ada.token).status_code == 401


class TestKeyRotation:
    """T16: with the old key beside the new one nobody is logged out."""

    def test_old_and_new_processes_side_by_side(self, service: Service, ada: Person) -> None:
        plenty = {"RATE_LIMIT_SCALE": "1000", "PUBLIC_URL": ORIGIN}
        old = service(**plenty, JWT_SECRET_KEY=SECRET)
        new = service(**plenty, JWT_SECRET_KEY=NEW_SECRET, JWT_SECRET_KEY_PREVIOUS=SECRET)
        after = service(**plenty, JWT_SECRET_KEY=NEW_SECRET)
        before = begin(old, ada.email)

        statuses = [me(new, before.access).status_code for _ in range(50)]
        renewed = begin(new, ada.email)

        assert statuses == [200] * 50
        assert me(new, renewed.access).status_code == 200
        assert me(after, renewed.access).status_code == 200
        assert me(after, before.access).status_code == 401
