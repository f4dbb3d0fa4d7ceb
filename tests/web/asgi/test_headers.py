"""The headers that every answer has to have, good or bad."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest
from starlette.testclient import TestClient

from tests.infra.link import closed_port
from tests.infra.outages import without_tables
from tests.people import Person
from tests.spec import CONTRACT
from tests.web.apps import serving
from tests.web.asgi.test_errors import broken, busy, service
from tests.web.raw import run

POSTS = "/api/v1/posts"
JSON = {"Content-Type": "application/json"}
ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
OF_THE_API = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
TOO_COMMON = {"email": "hana@example.com", "username": "hana", "password": "password1"}
ANSWERS: dict[int, Callable[[TestClient], httpx.Response]] = {
    200: lambda client: client.get(POSTS),
    400: lambda client: client.get(f"{POSTS}?x"),
    401: lambda client: client.get("/api/v1/users/me"),
    403: lambda client: client.post("/api/v1/auth/logout"),
    404: lambda client: client.get("/nowhere"),
    405: lambda client: client.put(POSTS),
    406: lambda client: client.get(POSTS, headers={"Accept": "text/html"}),
    409: lambda client: client.post("/api/v1/auth/signup", json=TOO_COMMON),
    413: lambda client: client.post("/api/v1/auth/login", content=b" " * 65_537),
    415: lambda client: client.post("/api/v1/auth/login", content=b"{}"),
}
OTHERS = {201, 204, 302, 304, 412, 422, 429, 500, 503}
"""Statuses that need more than a request, each with a test of its own."""


def assert_safe(response: httpx.Response, status: int) -> None:
    assert response.status_code == status
    kept = {"Cache-Control": "no-cache"} if "ETag" in response.headers and status == 200 else {}
    assert {**ALWAYS, **OF_THE_API, **kept}.items() <= dict(capitalised(response)).items()
    assert len(response.headers.get_list("X-Request-ID")) == 1
    assert not {"server", "x-powered-by", "access-control-allow-origin"} & set(response.headers)


def capitalised(response: httpx.Response) -> list[tuple[str, str]]:
    names = {name.lower(): name for name in (*ALWAYS, *OF_THE_API)}
    return [(names.get(name, name), value) for name, value in response.headers.items()]


class TestEveryAnswer:
    def test_of_the_contract_is_tried(self) -> None:
        documented = {
            int(status)
            for item in CONTRACT.document["paths"].values()
            for operation in item.values()
            if "responses" in operation
            for status in operation["responses"]
        }

        assert {*ANSWERS, *OTHERS} == documented | {302, 405}

    @pytest.mark.parametrize("status", ANSWERS)
    def test_is_safe(self, client: TestClient, status: int) -> None:
        assert_safe(ANSWERS[status](client), status)

    def test_also_412_and_422(self, client: TestClient, ada: Person) -> None:
        stale = ada.auth | {"If-Match": '"7-00000000"'}
        assert_safe(client.patch("/api/v1/users/me", json={"bio": "b"}, headers=stale), 412)
        keyed = ada.auth | {"Idempotency-Key": "a"}
        client.post(POSTS, json={"title": "t", "body": "b"}, headers=keyed)
        assert_safe(client.post(POSTS, json={"title": "t", "body": "c"}, headers=keyed), 422)

    def test_also_201_and_204(self, client: TestClient, ada: Person) -> None:
        post = {"title": "t", "body": "b"}
        assert_safe(client.post(POSTS, json=post, headers=ada.auth), 201)
        gone = client.delete("/api/v1/users/me", headers=ada.auth)
        assert_safe(gone, 204)
        assert "content-type" not in gone.headers

    def test_also_429(self, environment: dict[str, str], clean: None) -> None:
        with serving(environment, RATE_LIMIT_SCALE="0.001") as client:
            client.get(POSTS)
            assert_safe(client.get(POSTS), 429)

    def test_also_500(self, client: TestClient, query: Callable[..., object]) -> None:
        with without_tables(query, "posts"):  # type: ignore[arg-type]
            assert_safe(client.get(POSTS), 500)

    def test_also_503(self, environment: dict[str, str]) -> None:
        nowhere = f"postgresql://nobody@127.0.0.1:{closed_port()}/x"
        with serving(environment, DATABASE_URL=nowhere) as client:
            assert_safe(client.get(POSTS), 503)

    @pytest.mark.parametrize(("status", "app"), [(500, broken), (503, busy)])
    def test_also_what_fails_before_flask(
        self, environment: dict[str, str], status: int, app: object
    ) -> None:
        response = run(service(environment, app))

        assert response is not None
        assert_safe(response, status)

    @pytest.mark.parametrize("path", ["/openapi.json", "/openapi.yaml", "/docs/errors"])
    def test_also_304(self, client: TestClient, path: str) -> None:
        response = client.get(path, headers={"If-None-Match": "*"})

        assert response.status_code == 304
        assert ALWAYS.items() <= dict(capitalised(response)).items()
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]

    def test_a_redirect_has_them_too(self, client: TestClient) -> None:
        assert_safe(client.get("/", follow_redirects=False), 302)


class TestTransportSecurity:
    def test_is_demanded_where_the_public_address_is_https(
        self, environment: dict[str, str]
    ) -> None:
        with serving(environment, PUBLIC_URL="https://api.example.com") as client:
            for path in ("/healthz", "/docs", "/nowhere"):
                age = client.get(path).headers["Strict-Transport-Security"]
                assert age == "max-age=31536000; includeSubDomains"

    def test_is_not_spoken_of_on_plain_http(self, client: TestClient) -> None:
        assert "Strict-Transport-Security" not in client.get("/healthz").headers
