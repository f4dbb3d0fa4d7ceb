"""The header is checked wherever it is sent; whoever lets it be is anonymous."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from tests.people import Person

POSTS, LOGIN = "/api/v1/posts", "/api/v1/auth/login"


class TestHeader:
    @pytest.mark.parametrize(
        "value", ["", "Bearer", "Bearer ", "Bearer x", "Basic YTpi", "Token x", "x", "Bearer  a b"]
    )
    def test_a_bad_one_is_refused_where_none_is_needed(
        self, client: TestClient, value: str
    ) -> None:
        """A known trap: with optional login a bad token made an anonymous caller."""
        response = client.get(POSTS, headers={"Authorization": value})

        assert response.status_code == 401
        assert 'error="invalid_token"' in response.headers["WWW-Authenticate"]

    def test_it_is_refused_before_the_body_is_looked_at(self, client: TestClient) -> None:
        response = client.post(LOGIN, content=b"{", headers={"Authorization": "Bearer x"})

        assert response.status_code == 401

    @pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
    def test_the_scheme_has_no_case(self, client: TestClient, ada: Person, scheme: str) -> None:
        """RFC 9110, 11.1. A known trap: lower case was refused."""
        headers = {"Authorization": f"{scheme} {ada.token}"}

        assert client.get("/api/v1/users/me", headers=headers).status_code == 200

    def test_without_one_the_challenge_names_no_error(self, client: TestClient) -> None:
        """A known trap: there was no WWW-Authenticate at all."""
        response = client.get("/api/v1/users/me")

        assert response.headers["WWW-Authenticate"] == 'Bearer realm="madang"'

    def test_documents_and_probes_do_not_look_at_it(self, client: TestClient) -> None:
        for path in ("/healthz", "/readyz", "/openapi.yaml", "/docs"):
            assert client.get(path, headers={"Authorization": "Bearer x"}).status_code == 200
