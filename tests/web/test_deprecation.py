"""An operation that will go says so with every answer, and has told it half a year before."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import yaml
from starlette.testclient import TestClient

from api.app import App
from api.web.contract import Contract, ContractError
from api.web.deprecation import Deprecation
from tests.infra.outages import without_tables
from tests.people import People, Person
from tests.spec import CONTRACT
from tests.web.apps import serving

POSTS = "/api/v1/posts"
DATES = {"x-deprecated-at": "2026-03-01", "x-sunset": "2026-12-01"}
HEADERS = {"deprecation": "@1772323200", "sunset": "Tue, 01 Dec 2026 00:00:00 GMT"}
"""The same moments: ``date -u -d @1772323200`` says Sun Mar  1 00:00:00 UTC 2026."""
GOING = {("/posts", "get"), ("/posts", "post"), ("/openapi.json", "get")}


def contract() -> Contract:
    """The published one, with three operations that will go."""
    document = copy.deepcopy(CONTRACT.document)
    for path, method in GOING:
        document["paths"][path][method] |= {"deprecated": True, **DATES}
    return Contract(document)


@pytest.fixture(scope="module")
def transport(environment: dict[str, str], app: App) -> Iterator[TestClient]:
    """What ``client`` talks to in this module."""
    with serving(environment, contract()) as client:
        yield client


def announced(response: httpx.Response) -> dict[str, str]:
    return {name: response.headers[name] for name in HEADERS if name in response.headers}


def not_modified(client: TestClient) -> httpx.Response:
    etag = client.get("/openapi.json").headers["ETag"]
    return client.get("/openapi.json", headers={"If-None-Match": etag})


class TestEveryAnswer:
    POST = {"title": "마당", "body": "열려 있다"}
    ANSWERS: dict[int, Callable[[TestClient, Person], httpx.Response]] = {
        200: lambda client, _: client.get(POSTS),
        201: lambda client, ada: client.post(POSTS, json=TestEveryAnswer.POST, headers=ada.auth),
        304: lambda client, _: not_modified(client),
        400: lambda client, _: client.get(f"{POSTS}?colour=blue"),
        401: lambda client, _: client.get(POSTS, headers={"Authorization": "Bearer forged"}),
        404: lambda client, _: client.get(f"{POSTS}?cursor=unknown"),
        413: lambda client, ada: client.post(POSTS, content=b" " * 65_537, headers=ada.auth),
        415: lambda client, ada: client.post(POSTS, content=b"{}", headers=ada.auth),
    }

    @pytest.mark.parametrize("status", ANSWERS)
    def test_tells_since_when_and_until_when(
        self, client: TestClient, people: People, status: int
    ) -> None:
        """RFC 9745 and RFC 8594: they belong to the resource, whatever the answer is."""
        response = self.ANSWERS[status](client, people("ada"))

        assert response.status_code == status
        assert announced(response) == HEADERS

    def test_also_without_a_body(self, client: TestClient) -> None:
        assert announced(client.head(POSTS)) == HEADERS

    def test_also_a_bug(
        self, client: TestClient, query: Callable[..., list[tuple[object, ...]]]
    ) -> None:
        with without_tables(query, "posts"):
            response = client.get(POSTS)

        assert response.status_code == 500
        assert announced(response) == HEADERS

    def test_also_beyond_a_limit(self, environment: dict[str, str], clean: None) -> None:
        with serving(environment, contract(), RATE_LIMIT_SCALE="0.001") as client:
            client.get(POSTS)
            response = client.get(POSTS)

        assert response.status_code == 429
        assert announced(response) == HEADERS

    def test_links_to_what_is_said_of_it_beside_other_links(
        self, client: TestClient, ada: Person
    ) -> None:
        for _ in range(2):
            client.post(POSTS, json={**self.POST, "is_published": True}, headers=ada.auth)

        links = client.get(POSTS, params={"size": 1}).headers.get_list("Link")

        assert links == [
            '</api/v1/posts?size=1&page=2>; rel="next"',
            '</docs#/Posts/list_posts>; rel="deprecation"',
        ]


class TestOthers:
    @pytest.mark.parametrize("path", ["/api/v1/users", "/openapi.yaml", "/docs", "/nowhere"])
    def test_say_nothing(self, client: TestClient, path: str) -> None:
        response = client.get(path)

        assert announced(response) == {}
        assert "Link" not in response.headers

    def test_a_method_that_is_not_there_is_no_operation(self, client: TestClient) -> None:
        assert announced(client.put(POSTS)) == {}


class TestStartUp:
    @pytest.mark.parametrize(
        ("words", "fault"),
        [
            ({"deprecated": True}, "needs x-deprecated-at"),
            ({"deprecated": True, "x-deprecated-at": "2026-03-01"}, "needs x-sunset"),
            ({"deprecated": True, "x-sunset": "2026-12-01"}, "needs x-deprecated-at"),
            ({"deprecated": True, **DATES, "x-sunset": "soon"}, "needs x-sunset"),
            ({"deprecated": True, **DATES, "x-sunset": "2026-12-01T00:00:00Z"}, "needs x-sunset"),
            ({"deprecated": True, **DATES, "x-sunset": "2026-13-01"}, "month must be in 1..12"),
            ({"deprecated": True, **DATES, "x-sunset": "2026-08-27"}, "less than 180 days"),
            ({"deprecated": True, **DATES, "x-sunset": "2026-02-01"}, "less than 180 days"),
            (DATES, "is not deprecated and has"),
            ({"deprecated": False, "x-sunset": "2026-12-01"}, "is not deprecated and has"),
        ],
        ids=str,
    )
    def test_half_a_word_about_the_end_stops_it(self, words: dict[str, Any], fault: str) -> None:
        document = copy.deepcopy(CONTRACT.document)
        document["paths"]["/posts"]["get"] |= words

        with pytest.raises(ContractError, match=f"list_posts .*{fault}"):
            Contract(document)

    def test_a_date_without_quotes_stops_it(self) -> None:
        """A known trap: YAML makes a date of it, which JSON cannot say."""
        spec = {"deprecated": True, **DATES, **yaml.safe_load("x-deprecated-at: 2026-03-01")}
        with pytest.raises(ValueError, match=r"needs x-deprecated-at: .*in quotes"):
            Deprecation.of(spec)

    def test_a_hundred_and_eighty_days_are_enough(self) -> None:
        found = Deprecation.of({"deprecated": True, **DATES, "x-sunset": "2026-08-28"})

        assert found is not None
        assert (found.ends - found.begins).days == 180
