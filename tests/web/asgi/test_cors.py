"""Pages of listed origins read every answer, all others none; without a list nothing is different."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest
from starlette.testclient import TestClient

from api.web.asgi.cors import REQUEST_HEADERS, RESPONSE_HEADERS
from tests.infra.link import closed_port
from tests.infra.outages import without_tables
from tests.people import PASSWORD, Person
from tests.spec import CONTRACT
from tests.web.apps import serving
from tests.web.asgi.test_headers import ANSWERS, POSTS
from tests.web.raw import ask

APP, OTHER_APP = "https://app.example.com", "http://127.0.0.1:5173"
ORIGINS = f"{APP} {OTHER_APP}"
STRANGERS = [
    "null",
    "*",
    "",
    "https://evil.example",
    "https://app.example.com.evil.example",
    "https://evil-app.example.com",
    "https://sub.app.example.com",
    "https://app.example.co",
    "http://app.example.com",
    "https://app.example.com:8443",
    "https://app.example.com:443",
    "https://app.example.com/",
    "https://APP.example.com",
    ORIGINS,
    "http://127.0.0.1:5174",
]
ASKING = {"Access-Control-Request-Method": "PATCH"}
LOGIN, REFRESH = "/api/v1/auth/login", "/api/v1/auth/refresh"


@pytest.fixture(scope="module")
def service(environment: dict[str, str], app: object) -> Iterator[TestClient]:
    """The fixture ``app`` has built the database."""
    with serving(environment, CORS_ORIGINS=ORIGINS) as client:
        yield client


@pytest.fixture
def cross(service: TestClient, clean: None) -> TestClient:
    service.cookies.clear()
    service.headers.pop("Origin", None)
    return service


def is_open_to(origin: str, response: httpx.Response) -> bool:
    """Whether a page of this origin may read it; nothing in between is allowed."""
    given = {name for name in response.headers if name.startswith("access-control-")}
    assert response.headers.get_list("Vary", split_commas=True).count("Origin") == 1
    if not given:
        return False
    assert response.headers.get_list("Access-Control-Allow-Origin") == [origin]
    assert split(response, "Access-Control-Expose-Headers") == [*RESPONSE_HEADERS]
    assert "access-control-allow-credentials" not in given
    return True


def split(response: httpx.Response, name: str) -> list[str]:
    return response.headers[name].split(", ")


class TestListedOrigins:
    @pytest.mark.parametrize("status", ANSWERS)
    def test_read_answers_and_refusals(self, cross: TestClient, status: int) -> None:
        cross.headers["Origin"] = APP
        response = ANSWERS[status](cross)

        assert response.status_code == status
        assert is_open_to(APP, response)

    @pytest.mark.parametrize("path", ["/", "/healthz", "/openapi.yaml", "/docs", "/docs/errors"])
    def test_read_what_stands_at_the_root(self, cross: TestClient, path: str) -> None:
        response = cross.get(path, headers={"Origin": OTHER_APP}, follow_redirects=False)

        assert is_open_to(OTHER_APP, response)

    def test_read_that_nothing_has_changed(self, cross: TestClient) -> None:
        headers = {"Origin": APP, "If-None-Match": "*"}
        response = cross.get("/openapi.json", headers=headers)

        assert response.status_code == 304
        assert is_open_to(APP, response)

    def test_read_that_a_limit_is_used_up(self, environment: dict[str, str], clean: None) -> None:
        with serving(environment, CORS_ORIGINS=APP, RATE_LIMIT_SCALE="0.001") as client:
            answers = [client.get(POSTS, headers={"Origin": APP}) for _ in range(2)]

        assert [answer.status_code for answer in answers] == [200, 429]
        assert all(is_open_to(APP, answer) for answer in answers)

    def test_read_that_there_is_a_bug(
        self, cross: TestClient, query: Callable[..., list[tuple[object, ...]]]
    ) -> None:
        with without_tables(query, "posts"):
            response = cross.get(POSTS, headers={"Origin": APP})

        assert response.status_code == 500
        assert is_open_to(APP, response)

    def test_read_that_there_is_no_database(self, environment: dict[str, str]) -> None:
        nowhere = f"postgresql://nobody@127.0.0.1:{closed_port()}/x"
        with serving(environment, CORS_ORIGINS=APP, DATABASE_URL=nowhere) as client:
            for path in (POSTS, "/readyz"):
                response = client.get(path, headers={"Origin": APP})
                assert response.status_code == 503
                assert is_open_to(APP, response)

    def test_log_in_and_go_on_with_a_token(self, cross: TestClient, ada: Person) -> None:
        cross.headers["Origin"] = APP
        session = cross.post(LOGIN, json={"email": ada.email, "password": PASSWORD})
        token = session.json()["data"]["access_token"]
        me = cross.get("/api/v1/users/me", headers={"Authorization": f"Bearer {token}"})

        assert me.status_code == 200
        assert is_open_to(APP, session) and is_open_to(APP, me)

    def test_do_not_get_at_the_cookie(self, cross: TestClient, ada: Person) -> None:
        cross.post(LOGIN, json={"email": ada.email, "password": PASSWORD})
        for path in (REFRESH, "/api/v1/auth/logout"):
            refused = cross.post(path, headers={"Origin": APP, "X-Requested-With": "x"})
            assert refused.status_code == 403

        assert cross.post(REFRESH, headers={"X-Requested-With": "x"}).status_code == 200


class TestOthers:
    """H3."""

    @pytest.mark.parametrize("origin", STRANGERS)
    def test_read_nothing(self, cross: TestClient, origin: str) -> None:
        for path in (POSTS, "/nowhere", "/openapi.json"):
            assert not is_open_to(origin, cross.get(path, headers={"Origin": origin}))

    @pytest.mark.parametrize("origin", STRANGERS)
    def test_may_not_ask_either(self, cross: TestClient, origin: str) -> None:
        response = cross.options(POSTS, headers={"Origin": origin, **ASKING})

        assert response.status_code == 405
        assert response.json()["error"]["code"] == "METHOD_NOT_ALLOWED"
        assert not is_open_to(origin, response)

    def test_a_second_origin_makes_the_first_one_doubtful(self, cross: TestClient) -> None:
        pairs = [(b"origin", origin.encode()) for origin in (APP, "https://evil.example")]
        for headers in (pairs, pairs[::-1], [pairs[0]] * 2):
            response = ask(cross, "GET", POSTS.encode(), headers)
            assert response is not None and response.status_code == 400
            assert not is_open_to(APP, response)

    def test_who_names_no_origin_is_told_that_it_would_matter(self, cross: TestClient) -> None:
        """Else a cache would give this answer to a page that may not be refused one."""
        for path in (POSTS, "/nowhere", "/healthz", "/openapi.json"):
            assert not is_open_to("", cross.get(path))


class TestPreflight:
    @pytest.mark.parametrize("path", [POSTS, REFRESH, "/healthz", "/nowhere"])
    def test_says_what_may_be_sent(self, cross: TestClient, path: str) -> None:
        """Wherever: what is not there is told to the request itself, in a form the page can read."""
        response = cross.options(path, headers={"Origin": APP, **ASKING})

        assert response.status_code == 204
        assert is_open_to(APP, response)
        methods = {operation.method for operation in CONTRACT.operations.values()}
        assert set(split(response, "Access-Control-Allow-Methods")) == methods | {"HEAD"}
        assert split(response, "Access-Control-Allow-Headers") == [*REQUEST_HEADERS]
        assert response.headers["Access-Control-Max-Age"] == "600"

    def test_is_an_answer_like_any_other(self, cross: TestClient) -> None:
        response = cross.options(POSTS, headers={"Origin": APP, "X-Request-ID": "mine", **ASKING})

        assert response.headers["X-Request-ID"] == "mine"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert not {"content-type", "content-length"} & set(response.headers)

    def test_costs_nothing(self, environment: dict[str, str], clean: None) -> None:
        """A browser sends it without the token, so it would use up what strangers there may ask."""
        with serving(environment, CORS_ORIGINS=APP, RATE_LIMIT_SCALE="0.001") as client:
            for _ in range(3):
                response = client.options(POSTS, headers={"Origin": APP, **ASKING})
                assert response.status_code == 204
                assert "RateLimit" not in response.headers
            assert client.get(POSTS).status_code == 200

    def test_a_stranger_pays_for_one(self, environment: dict[str, str], clean: None) -> None:
        evil = {"Origin": "https://evil.example", **ASKING}
        with serving(environment, CORS_ORIGINS=APP, RATE_LIMIT_SCALE="0.001") as client:
            answers = [ask_for(client, evil) for _ in range(2)]

        assert answers == [405, 429]

    def test_without_what_makes_it_one_it_is_a_method_like_others(self, cross: TestClient) -> None:
        response = cross.options(POSTS, headers={"Origin": APP})

        assert response.status_code == 405
        assert is_open_to(APP, response)


def ask_for(client: TestClient, headers: dict[str, str]) -> int:
    client.event_hooks["response"].clear()  # no operation, so no contract has its 429
    return client.options(POSTS, headers=headers).status_code


class TestLists:
    def test_every_header_that_the_contract_reads_may_be_sent(self) -> None:
        schemes = CONTRACT.document["components"]["securitySchemes"].values()
        read = {scheme["name"] for scheme in schemes if scheme.get("in") == "header"}
        for operation in CONTRACT.operations.values():
            read |= {param["name"] for param in operation.parameters if param["in"] == "header"}

        assert "X-Requested-With" in read
        assert read | {"Authorization", "Content-Type"} <= set(REQUEST_HEADERS)

    def test_every_header_that_the_contract_promises_may_be_read(self) -> None:
        promised = {
            name.removesuffix("-Cleared").removesuffix("-At-Times")
            for name in CONTRACT.document["components"]["headers"]
        }
        always, never = {"Cache-Control"}, {"Set-Cookie"}  # Fetch, 2.2.6 and 2.2.2

        assert promised - always - never <= set(RESPONSE_HEADERS)


class TestWithoutAList:
    def test_no_answer_speaks_of_origins(self, client: TestClient) -> None:
        for path in (POSTS, "/nowhere", "/healthz"):
            response = client.get(path, headers={"Origin": APP})
            assert "Origin" not in response.headers.get("Vary", "")
            assert not [name for name in response.headers if name.startswith("access-control-")]

    def test_nobody_may_ask(self, client: TestClient) -> None:
        response = client.options(POSTS, headers={"Origin": APP, **ASKING})

        assert response.status_code == 405
        assert response.headers["Allow"] == "GET, HEAD, POST"
