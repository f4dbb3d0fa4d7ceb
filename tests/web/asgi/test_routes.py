"""Which paths and methods there are: those of the contract, spelt exactly so, and no others."""

from __future__ import annotations

import httpx
import pytest
from starlette.testclient import TestClient

from api.app import App
from api.web.asgi.docs import assets_place
from api.web.contract import METHODS, Operation
from tests.people import Person
from tests.spec import CONTRACT
from tests.web.raw import ask

UNKNOWN = "01a20547-abc9-7556-b949-68714accd4b0"
GETS = [operation for operation in CONTRACT.operations.values() if operation.method == "GET"]
PATHS = sorted({operation.path for operation in CONTRACT.operations.values()})


def allowed(path: str) -> list[str]:
    methods = [op.method for op in CONTRACT.operations.values() if op.path == path]
    return sorted([*methods, "HEAD"] if "GET" in methods else methods)


class TestPaths:
    @pytest.mark.parametrize(
        "target",
        [
            b"/api/v1/users/ME",
            b"/api/v1/users/me;x=1",
            b"/api/v1/users/me%00",
            b"/api/v1/users/me%20",
            b"/api/v1/users/me.json",
            b"/api/v1/users/me%3fx",
        ],
    )
    def test_another_spelling_of_me_is_nobodys_id(
        self, client: TestClient, ada: Person, target: bytes
    ) -> None:
        token = (b"authorization", ada.auth["Authorization"].encode())

        refused(ask(client, "GET", target, [token]), 400, "INVALID_INPUT")

    @pytest.mark.parametrize(
        "target",
        [
            b"//api/v1/users/me",
            b"/api/v1//users/me",
            b"/api/v1/users//me",
            b"/api/v1/users/me/",
            b"/api/v1/users/me//",
            b"/API/v1/users/me",
            b"/api/v1/USERS/me",
            b"/api/v1/users%2fme",
            b"/api/v1%2Fusers/me",
            b"/api/v1/users/me%2f",
            b"/api/v1/users%5cme",
            b"/api/v1/users;/me",
            b"/api/v1/x/..;/users/me",
            b"/api/v1/x/../users/me",
            b"/api/v1/%2e%2e/v1/users/me",
            b"/api/v1/./users/me",
            b"/api/v1/users/me%0a",
            b"/api/v2/users/me",
            b"/users/me",
            b"/v1/users/me",
            b"",
            b"/api/v1",
            b"/api/v1/",
            b"/static/x",
            b"/api/v1/ui",
            b"/api/v1/openapi.json",
            b"/metrics",
            b"/console",
        ],
    )
    def test_other_spellings_lead_nowhere(
        self, client: TestClient, ada: Person, target: bytes
    ) -> None:
        """A known trap: a trailing slash was a redirect. With a token, so that 401 hides nothing."""
        token = (b"authorization", ada.auth["Authorization"].encode())

        refused(ask(client, "GET", target, [token], documented=False), 404, "NOT_FOUND")

    @pytest.mark.parametrize("path", PATHS)
    def test_a_slash_more_is_another_path(self, client: TestClient, path: str) -> None:
        for other in (path.replace("{id}", UNKNOWN) + "/", "/" + path.replace("{id}", UNKNOWN)):
            answer = ask(client, "GET", other.encode())
            assert answer is not None
            assert answer.status_code == 404

    def test_percent_encoded_letters_are_the_letters(self, client: TestClient) -> None:
        answer = ask(client, "GET", b"/api/v1/%70osts")

        assert answer is not None
        assert answer.status_code == 200

    @pytest.mark.parametrize(
        "header", ["X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Prefix", "Forwarded"]
    )
    def test_no_header_leads_to_another_path(self, client: TestClient, header: str) -> None:
        response = client.get("/api/v1/posts", headers={header: "/api/v1/users/me"})

        assert response.status_code == 200
        assert "items" in response.json()["data"]

    def test_flask_knows_no_route_but_the_contract(self, app: App, client: TestClient) -> None:
        """A known trap: routes come into being with the first request."""
        client.get("/api/v1/posts")
        served = {
            (method, rule.rule.replace("<", "{").replace(">", "}"))
            for rule in app.flask.url_map.iter_rules()
            for method in rule.methods or ()
        }
        described = {(op.method, op.path) for op in CONTRACT.operations.values() if not op.is_root}

        assert {pair for pair in served if pair[0] not in ("HEAD", "OPTIONS")} == described

    def test_every_root_operation_and_page_is_answered_outside_flask(
        self, client: TestClient
    ) -> None:
        for operation in GETS:
            if operation.is_root:
                assert client.get(operation.path).status_code == 200
        assert client.get(assets_place() + "docs.js").status_code == 200
        assert client.get(assets_place() + "no.js").status_code == 404
        assert client.get(assets_place()).status_code == 404


class TestMethods:
    @pytest.mark.parametrize(
        "path", [*PATHS, "/", assets_place() + "docs.js", "/docs/errors", "/docs/errors/NOT_FOUND"]
    )
    def test_every_other_method_is_refused_with_all_there_are(
        self, client: TestClient, path: str
    ) -> None:
        known = allowed(path) or ["GET", "HEAD"]
        others = {
            *map(str.upper, METHODS),
            "HEAD",
            "OPTIONS",
            "TRACE",
            "CONNECT",
            "PROPFIND",
            "FOO",
        }

        for method in sorted(others - set(known)):
            target = path.replace("{id}", UNKNOWN).encode()
            answer = ask(client, method, target, documented=method != "HEAD")
            if method == "HEAD":
                assert answer is not None and answer.status_code == 405
            else:
                refused(answer, 405, "METHOD_NOT_ALLOWED")
            assert answer is not None and answer.headers["Allow"] == ", ".join(known)

    @pytest.mark.parametrize("method", ["get", "Get", "gEt", "G" * 5_000, "GÉT", ""])
    def test_methods_are_spelt_in_one_way(self, client: TestClient, method: str) -> None:
        refused(ask(client, method, b"/api/v1/posts", documented=False), 405, "METHOD_NOT_ALLOWED")

    @pytest.mark.parametrize(
        "header", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"]
    )
    def test_no_header_makes_another_method(
        self, client: TestClient, ada: Person, header: str
    ) -> None:
        response = client.get("/api/v1/users/me", headers=ada.auth | {header: "DELETE"})

        assert response.status_code == 200
        assert client.get("/api/v1/users/me", headers=ada.auth).status_code == 200

    def test_safe_methods_on_what_changes_something_change_nothing(
        self, client: TestClient
    ) -> None:
        for path in (b"/api/v1/auth/refresh", b"/api/v1/auth/logout", b"/api/v1/auth/signup"):
            for method in ("GET", "HEAD"):
                answer = ask(client, method, path, documented=False)
                assert answer is not None and answer.status_code == 405


class TestHead:
    @pytest.mark.parametrize("operation", GETS, ids=lambda operation: operation.id)
    def test_is_get_without_the_body(
        self, client: TestClient, ada: Person, operation: Operation
    ) -> None:
        """A known trap: it was a 500 on every operation. Holds for a refusal as well."""
        path = operation.path.replace("{id}", UNKNOWN)

        for headers in (ada.auth, {}):
            got, head = client.get(path, headers=headers), client.head(path, headers=headers)
            assert head.status_code == got.status_code
            assert head.content == b""
            assert lasting(head) == lasting(got)


def refused(answer: httpx.Response | None, status: int, code: str) -> None:
    assert answer is not None
    assert answer.status_code == status
    assert answer.json()["status"] == "error"
    assert answer.json()["error"].keys() == {"code", "message", "details", "request_id"}
    assert answer.json()["error"]["code"] == code


def lasting(response: httpx.Response) -> dict[str, str]:
    """Headers that do not differ from one request to the next."""
    passing = (
        "x-request-id",
        "traceparent",
        "ratelimit",
        "x-ratelimit-remaining",
        "x-ratelimit-reset",
    )
    return {name: value for name, value in response.headers.items() if name not in passing}
