"""Rate limits: each request is charged once, to its person or its address, whatever became of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from uuid import uuid4

import httpx
import pytest
from starlette.testclient import TestClient

from api.app import App
from api.errors import RateLimited
from api.infra.tokens import AccessClaims
from api.infra.tracing import Span
from api.web.context import KeyClaims, RequestContext
from api.web.limits import address_key
from tests.people import Person
from tests.spec import CONTRACT
from tests.web.apps import serving
from tests.web.raw import ask

POSTS, ME, LOGIN = "/api/v1/posts", "/api/v1/users/me", "/api/v1/auth/login"
UNKNOWN = f"{POSTS}/01a20547-abc9-7556-b949-68714accd4b0"
TEXT = {"Content-Type": "text/plain"}
Road = Callable[[TestClient, dict[str, str]], httpx.Response]

ROADS: dict[str, tuple[int, Road]] = {
    "valid": (200, lambda client, auth: client.get(POSTS, headers=auth)),
    "head": (200, lambda client, auth: client.head(POSTS, headers=auth)),
    "refused by validation": (400, lambda client, auth: client.get(f"{POSTS}?x=1", headers=auth)),
    "refused by the guard": (400, lambda client, auth: client.get(f"{POSTS}?%ff", headers=auth)),
    "a body nobody expects": (
        400,
        lambda client, auth: client.request("GET", POSTS, content=b"{}", headers=auth),
    ),
    "nothing there": (404, lambda client, auth: client.get(UNKNOWN, headers=auth)),
    "another valid one": (200, lambda client, auth: client.get(f"{POSTS}?size=1", headers=auth)),
}
"""Ways a request can take, for whoever sends it; all of them are charged to the same buckets."""

ANONYMOUS_ROADS: dict[str, tuple[int, Road]] = {
    "no token": (401, lambda client, _: client.get(ME)),
    "a bad token": (
        401,
        lambda client, _: client.get(POSTS, headers={"Authorization": "Bearer x"}),
    ),
    "a body too large": (413, lambda client, _: client.post(LOGIN, content=b" " * 65_537)),
    "no such path": (404, lambda client, _: client.get("/api/v1/nothing")),
    "no such method": (405, lambda client, _: client.put(POSTS)),
}


class TestEveryRoadCounts:
    """As many requests by mixed roads as the limit allows, and any other is a 429."""

    def test_for_an_address(self, environment: dict[str, str], clean: None) -> None:
        """A known trap: what validation refused was not counted."""
        roads = {**ROADS, **ANONYMOUS_ROADS}
        del roads["a body too large"]  # of an operation with buckets of its own
        with serving(environment, RATE_LIMIT_SCALE=str(len(roads) / 100)) as client:
            for left, (name, (status, road)) in enumerate(reversed(roads.items())):
                response = road(client, {})
                assert response.status_code == status, name
                assert remaining(response) == len(roads) - left - 1, name
            for name in roads.keys() - {"no such path", "no such method"}:
                assert roads[name][1](client, {}).status_code == 429
            for method, path in (("GET", b"/api/v1/nothing"), ("PUT", POSTS.encode())):
                answer = ask(client, method, path, documented=False)
                assert answer is not None and answer.status_code == 429

    def test_for_a_person(self, environment: dict[str, str], ada: Person, bob: Person) -> None:
        with serving(environment, RATE_LIMIT_SCALE=str(len(ROADS) / 300)) as client:
            for left, (name, (status, road)) in enumerate(ROADS.items()):
                response = road(client, ada.auth)
                assert response.status_code == status, name
                assert remaining(response) == len(ROADS) - left - 1, name
            for _, road in ROADS.values():
                assert road(client, ada.auth).status_code == 429
            assert client.get(POSTS, headers=bob.auth).status_code == 200
            assert client.get(POSTS).status_code == 200

    def test_a_thousand_bad_bodies_are_not_looked_at(
        self, environment: dict[str, str], clean: None
    ) -> None:
        with serving(environment) as client:
            statuses = [
                client.post(LOGIN, content=b"{", headers=TEXT).status_code for _ in range(30)
            ]

        assert statuses == [415] * 25 + [429] * 5


class TestWhoIsCharged:
    def test_a_person_is_not_charged_for_the_address(self, client: TestClient, ada: Person) -> None:
        client.get(POSTS)

        response = client.get(POSTS, headers=ada.auth)

        assert response.headers["RateLimit-Policy"] == '"user";q=300;w=60'
        assert remaining(response) == 299
        assert remaining(client.get(POSTS)) == 98

    def test_a_write_is_charged_to_both_buckets_of_its_person(
        self, client: TestClient, ada: Person
    ) -> None:
        response = client.post(POSTS, json={"title": "t", "body": "b"}, headers=ada.auth)

        assert response.headers["RateLimit-Policy"] == '"user";q=300;w=60, "write";q=30;w=60'
        assert response.headers["RateLimit"] == '"user";r=299;t=60, "write";r=29;t=60'
        assert response.headers["X-RateLimit-Limit"] == "30"
        assert response.headers["X-RateLimit-Remaining"] == "29"

    def test_a_refused_write_is_charged_as_a_write(self, client: TestClient, ada: Person) -> None:
        response = client.post(POSTS, content=b"{", headers=ada.auth)

        assert response.status_code == 415
        assert response.headers["X-RateLimit-Limit"] == "30"

    def test_logging_in_has_a_bucket_of_its_own(self, client: TestClient, ada: Person) -> None:
        """By address, whoever is logged in: else a token would be a way round it."""
        for headers in ({}, ada.auth):
            response = client.post(LOGIN, json={}, headers=headers)
            assert response.headers["RateLimit-Policy"] == '"login";q=25;w=300'
        assert remaining(response) == 23

    def test_what_has_no_limit_is_not_counted(self, client: TestClient) -> None:
        assert "RateLimit" not in client.get("/healthz").headers


class TestHeaders:
    def test_stand_on_a_success_a_refusal_and_a_429(
        self, environment: dict[str, str], clean: None
    ) -> None:
        """A known trap: a 429 lost Retry-After and every rate header."""
        with serving(environment, RATE_LIMIT_SCALE="0.02") as client:
            answers = [client.get(f"{POSTS}{query}") for query in ("", "?x=1", "")]

        assert [answer.status_code for answer in answers] == [200, 400, 429]
        for left, answer in zip((1, 0, 0), answers, strict=True):
            assert answer.headers["RateLimit-Policy"] == '"anonymous";q=2;w=60'
            assert answer.headers["RateLimit"].startswith(f'"anonymous";r={left};t=')
            assert answer.headers["X-RateLimit-Limit"] == "2"
            assert remaining(answer) == left
            assert 0 < int(answer.headers["X-RateLimit-Reset"]) <= 60
        assert answers[2].headers["Retry-After"] == answers[2].headers["X-RateLimit-Reset"]
        assert answers[2].json()["error"]["code"] == "RATE_LIMITED"
        assert "Retry-After" not in answers[1].headers

    def test_retry_after_is_that_of_the_slowest_empty_bucket(
        self, environment: dict[str, str], ada: Person, redis: object
    ) -> None:
        with serving(environment, RATE_LIMIT_SCALE="0.001") as client:
            client.get(POSTS, headers=ada.auth)
            response = client.post(POSTS, json={"title": "t", "body": "b"}, headers=ada.auth)

        assert response.status_code == 429
        assert response.headers["RateLimit"].startswith('"user";r=0;t=')


class TestWindows:
    def test_end(self, app: App, clean: None, redis: object) -> None:
        """The counters live in Redis for as long as their window."""
        context = anonymous_request()
        app.runtime.limits.charge(context)

        [key] = redis.keys("*anonymous*")  # type: ignore[attr-defined]

        assert 58 <= redis.ttl(key) <= 60  # type: ignore[attr-defined]
        redis.delete(key)  # type: ignore[attr-defined]  # as the end of the window does
        app.runtime.limits.settle()  # as if this process had heard of it
        later = anonymous_request()
        app.runtime.limits.charge(later)
        assert later.buckets[0].remaining == 99

    def test_a_request_is_charged_once(self, app: App, clean: None) -> None:
        context = anonymous_request()

        for _ in range(3):
            app.runtime.limits.charge(context)

        assert [(b.name, b.remaining) for b in context.buckets] == [("anonymous", 99)]

    @pytest.mark.parametrize(
        ("name", "operation"),
        [
            ("anonymous", "list_posts"),
            ("user", "list_posts"),
            ("api_key", "list_posts"),
            ("write", "create_post"),
            ("login", "log_in"),
            ("signup", "sign_up"),
        ],
    )
    def test_every_limit_of_the_contract_is_exact(
        self, app: App, clean: None, name: str, operation: str
    ) -> None:
        limit = CONTRACT.rate_limits[name]["limit"]

        assert sum(1 for _ in until_refused(app, operation, credentials=name)) == limit

    def test_all_limits_are_among_these(self) -> None:
        assert set(CONTRACT.rate_limits) == {
            *("anonymous", "user", "api_key", "write", "login", "signup")
        }


class TestScale:
    @pytest.mark.parametrize(("scale", "limit"), [("10", "1000"), ("0.5", "50"), ("0.0001", "1")])
    def test_multiplies_every_limit_and_never_forbids_everything(
        self, environment: dict[str, str], clean: None, scale: str, limit: str
    ) -> None:
        with serving(environment, RATE_LIMIT_SCALE=scale) as client:
            assert client.get(POSTS).headers["X-RateLimit-Limit"] == limit


class TestAddressKey:
    @pytest.mark.parametrize(
        ("ip", "key"),
        [
            ("192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("::ffff:c000:201", "192.0.2.1"),
            ("2001:db8:1:2::1", "2001:0db8:0001:0002"),
            ("2001:0DB8:1:2:ffff:ffff:ffff:ffff", "2001:0db8:0001:0002"),
            ("2001:db8:1:3::1", "2001:0db8:0001:0003"),
            ("fe80::1%eth0", "fe80:0000:0000:0000"),
            ("::1", "0000:0000:0000:0000"),
            ("unknown", "unknown"),
            ("", "unknown"),
            ("192.0.2.1:80", "unknown"),
            ("192.0.2.01", "unknown"),
        ],
    )
    def test_is_what_a_visitor_cannot_choose(self, ip: str, key: str) -> None:
        assert address_key(ip) == key


def remaining(response: httpx.Response) -> int:
    return int(response.headers["X-RateLimit-Remaining"])


def anonymous_request(operation: str = "list_posts") -> RequestContext:
    return RequestContext(
        "r", Span("t", "s"), "192.0.2.1", operation=CONTRACT.operations[operation]
    )


def until_refused(app: App, operation: str, *, credentials: str) -> Iterator[None]:
    """Once for each request of one caller that gets through."""
    claims = AccessClaims(uuid4(), uuid4()) if credentials in ("user", "write") else None
    key = KeyClaims(uuid4(), uuid4(), frozenset({"read"}), is_new=False)
    with pytest.raises(RateLimited):
        for _ in range(1_000):
            context = anonymous_request(operation)
            context.claims = claims
            context.key = key if credentials == "api_key" else None
            app.runtime.limits.charge(context)
            yield
