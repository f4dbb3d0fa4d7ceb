"""A caller who could not read the answer is told so, and one who says nothing clear is answered."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from api.web.asgi.accept import accepts
from api.web.contract import Operation
from tests.people import Person
from tests.spec import CONTRACT
from tests.web.raw import ask
from tests.web.stage import BODIES

POSTS, LOGIN, ME = "/api/v1/posts", "/api/v1/auth/login", "/api/v1/users/me"
JSON = ("application/json",)
UNKNOWN = "01a20547-abc9-7556-b949-68714accd4b0"
FINE = [
    "",
    "*/*",
    "application/*",
    "application/json",
    "APPLICATION/JSON",
    "application/json;charset=utf-8",
    "application/json; charset=UTF-8; q=0.1",
    "application/json;version=2",
    "application/json ; q=0.5",
    "text/html, application/json;q=0.1",
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8",
    "*/*;q=0, application/*;q=0.1",
    "application/*;q=0, application/json",
    "text/html;q=1.0, */*;q=0.001",
]
EXCLUDED = [
    "text/html",
    "application/xml",
    "text/*",
    "application/problem+json",
    "application/jsonp",
    "application/json;q=0",
    "application/json;q=0.000",
    "application/json;q=0, */*",
    "application/*;q=0, */*;q=0.5",
    "*/*;q=0",
    "text/html, application/xml;q=0.9",
    'text/html;level="1, application/json"',
    "text/html,",
]
MALFORMED = [
    *("json", "*", "*/json", "a/b/c", "text/", "/html", "text html", "text/html text/plain"),
    *(",", ";", ";q=1", "text/html;q=x", "text/html;q=2", "text/html;q=-1", 'text/html;x="'),
    *("text/html, application/json;q=high", "application/json;q=0, nonsense", "\x80/\xff, x"),
]


class TestHeader:
    @pytest.mark.parametrize("header", [*FINE, *MALFORMED])
    def test_what_allows_json_or_makes_no_sense_is_fine(self, header: str) -> None:
        assert accepts(header, JSON)

    @pytest.mark.parametrize("header", EXCLUDED)
    def test_what_excludes_json_is_not(self, header: str) -> None:
        assert not accepts(header, JSON)

    def test_one_of_several_offers_is_enough(self) -> None:
        assert accepts("text/event-stream", ("application/json", "text/event-stream"))
        assert not accepts("text/html", ("application/json", "text/event-stream"))


def refused(client: TestClient, operation: Operation, headers: dict[str, str]) -> None:
    path = operation.path.replace("{id}", UNKNOWN)
    response = client.request(
        operation.method, path, json=BODIES.get(operation.id), headers=headers
    )

    assert response.status_code == 406
    assert response.headers["Content-Type"] == "application/json"
    error = response.json()["error"]
    assert error["code"] == "NOT_ACCEPTABLE"
    assert error["details"] == {"Accept": f"must allow {operation.offers[0]}"}
    assert ("RateLimit" in response.headers) != operation.is_root


def test_probes_answer_whatever_is_accepted(client: TestClient) -> None:
    for path in ("/healthz", "/readyz"):
        assert client.get(path, headers={"Accept": "text/plain"}).status_code == 200


@pytest.mark.parametrize(
    "operation", [o for o in CONTRACT.operations.values() if o.offers], ids=lambda o: o.id
)
class TestEveryOperation:
    def test_refuses_what_it_cannot_meet(
        self, client: TestClient, ada: Person, operation: Operation
    ) -> None:
        refused(client, operation, {**ada.auth, "Accept": "image/png"})
        refused(client, operation, {**ada.auth, "Accept": f"{operation.offers[0]};q=0, */*"})

    def test_answers_those_who_ask_for_what_it_has(
        self, client: TestClient, ada: Person, operation: Operation
    ) -> None:
        """With a parameter that nobody knows, so that nothing is changed."""
        path = operation.path.replace("{id}", UNKNOWN) + "?x"
        for accept in (operation.offers[0], "*/*", "nonsense"):
            headers = {**ada.auth, "Accept": accept}
            assert client.request(operation.method, path, headers=headers).status_code == 400


class TestTheWay:
    def test_without_the_header_anything_is_fine(self, client: TestClient) -> None:
        for path in (b"/api/v1/posts", b"/healthz", b"/openapi.yaml", b"/docs"):
            answer = ask(client, "GET", path)
            assert answer is not None and answer.status_code == 200

    def test_several_headers_are_one_list(self, client: TestClient) -> None:
        html, json = (b"accept", b"text/html"), (b"accept", b"application/json")
        for headers, status in (([html, json], 200), ([html, html], 406)):
            answer = ask(client, "GET", POSTS.encode(), headers)
            assert answer is not None and answer.status_code == status

    def test_head_is_get(self, client: TestClient) -> None:
        response = client.head(POSTS, headers={"Accept": "text/html"})

        assert (response.status_code, response.content) == (406, b"")

    def test_nothing_is_done(self, client: TestClient, ada: Person) -> None:
        headers = {**ada.auth, "Accept": "text/html"}

        assert client.delete(ME, headers=headers).status_code == 406
        assert client.get(ME, headers=ada.auth).status_code == 200

    def test_a_bad_token_is_a_bad_token_first(self, client: TestClient) -> None:
        headers = {"Accept": "text/html", "Authorization": "Bearer x"}

        assert client.get(POSTS, headers=headers).status_code == 401

    def test_it_is_refused_before_the_body_is_looked_at(self, client: TestClient) -> None:
        response = client.post(LOGIN, content=b"{", headers={"Accept": "text/html"})

        assert response.status_code == 406

    def test_where_nothing_is_it_does_not_matter(self, client: TestClient) -> None:
        for method, path in (("GET", "/nowhere"), ("PUT", POSTS)):
            response = client.request(method, path, headers={"Accept": "text/html"})
            assert response.status_code in (404, 405)
            assert response.headers["Content-Type"] == "application/json"
