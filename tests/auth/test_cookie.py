"""The refresh token's cookie: who keeps it, who may send it, and what it is not good for."""

from __future__ import annotations

from http.cookies import SimpleCookie

import httpx
import pytest
from starlette.testclient import TestClient

from api.app import App
from tests.auth.flows import (
    COOKIE,
    HOST_COOKIE,
    PROGRAM,
    Login,
    Query,
    begin,
    code_of,
    go_on,
    log_in,
    log_out,
    me,
    refresh,
)
from tests.conftest import ORIGIN
from tests.people import Person

PATHS = ("/api/v1/auth/refresh", "/api/v1/auth/logout")
STRICT = {"path": "/", "httponly": "True", "samesite": "Strict"}
HTTPS_ORIGIN = "https://madang.example"
SITES = [
    ({}, 403),
    ({"X-Requested-With": "tests"}, 200),
    ({"Origin": ORIGIN}, 200),
    ({"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"}, 200),
    ({"Origin": "https://evil.example"}, 403),
    ({"Origin": "https://evil.example", "X-Requested-With": "tests"}, 403),
    ({"Origin": "null"}, 403),
    ({"Origin": "null", "X-Requested-With": "tests"}, 403),
    ({"Origin": ""}, 403),
    ({"Origin": ORIGIN + ".evil.example"}, 403),
    ({"Origin": ORIGIN + ":8080"}, 403),
    ({"Origin": ORIGIN.replace("http", "https")}, 403),
    ({"Origin": ORIGIN.upper()}, 403),
    ({"Sec-Fetch-Site": "same-origin"}, 403),
    ({"Sec-Fetch-Site": "cross-site"}, 403),
    ({"Origin": ORIGIN, "Sec-Fetch-Site": "cross-site"}, 403),
    ({"X-Requested-With": "tests", "Sec-Fetch-Site": "cross-site"}, 403),
    ({"Referer": ORIGIN}, 403),
]
"""C3: headers of a request to a cookie route, and what it gets."""


def attributes(response: httpx.Response) -> dict[str, str]:
    """Of the only cookie in the only ``Set-Cookie``; ``Expires`` only repeats ``Max-Age``."""
    [header] = response.headers.get_list("set-cookie")
    [(name, morsel)] = SimpleCookie(header).items()
    found = {key.lower(): str(value) for key, value in morsel.items() if value}
    assert not any(part.strip().lower().startswith("domain") for part in header.split(";"))
    found.pop("expires")
    return {"name": name, **found}


class TestAttributes:
    """C1: on every Set-Cookie there is."""

    def test_over_https_only_this_host_and_never_a_script_get_it(
        self, https: TestClient, ada: Person
    ) -> None:
        login = log_in(https, ada.email)
        again = refresh(https, Login.of(login).refresh, name=HOST_COOKIE)
        out = log_out(https, Login.of(again).refresh, name=HOST_COOKIE)

        kept = {"name": "__Host-refresh_token", "secure": "True", **STRICT}
        assert attributes(login) == kept | {"max-age": "604800"}
        assert attributes(again) == kept | {"max-age": "604800"}
        assert attributes(out) == kept | {"max-age": "0"}

    def test_on_plain_http_it_goes_without_the_prefix_that_needs_https(
        self, client: TestClient, ada: Person
    ) -> None:
        login = log_in(client, ada.email)
        out = log_out(client, Login.of(login).refresh)

        assert attributes(login) == {"name": "refresh_token", "max-age": "604800", **STRICT}
        assert attributes(out)["name"] == "refresh_token"

    def test_deleting_the_account_deletes_it(self, https: TestClient, ada: Person) -> None:
        login = Login.of(log_in(https, ada.email))

        response = https.delete("/api/v1/users/me", headers=login.auth)

        https.cookies.clear()
        found = attributes(response)
        assert (found["name"], found["max-age"]) == ("__Host-refresh_token", "0")
        assert (found["secure"], found["httponly"]) == ("True", "True")

    def test_https_does_not_know_the_name_without_prefix(
        self, https: TestClient, ada: Person
    ) -> None:
        """A page on plain http, or a sister host, can set that one."""
        login = Login.of(log_in(https, ada.email))

        assert refresh(https, login.refresh, name=COOKIE).status_code == 401
        go_on(https, login.refresh, name=HOST_COOKIE)

    def test_refusals_set_none(self, client: TestClient, ada: Person) -> None:
        responses = (
            log_in(client, ada.email, "not her password"),
            refresh(client, "nonsense"),
            log_out(client, "nonsense"),
            refresh(client, "nonsense", headers={}),
        )

        assert [r.headers.get("Set-Cookie") for r in responses] == [None] * 4


class TestSecrecy:
    def test_no_body_ever_holds_the_token(self, client: TestClient, ada: Person) -> None:
        """C2."""
        first = log_in(client, ada.email)
        login = Login.of(first)
        second = refresh(client, login.refresh)
        successor = Login.of(second)
        answers = (
            first,
            second,
            refresh(client, login.refresh),
            me(client, successor.access),
            refresh(client, successor.refresh, headers={}),
            log_out(client, successor.refresh),
            refresh(client, successor.refresh),
        )

        assert [r.status_code for r in answers] == [200, 200, 409, 200, 403, 204, 401]
        for token in (login.refresh, successor.refresh):
            assert not any(token in response.text for response in answers)

    def test_answers_with_tokens_are_stored_by_nobody(
        self, client: TestClient, ada: Person
    ) -> None:
        login = log_in(client, ada.email)

        assert login.headers["Cache-Control"] == "no-store"
        assert refresh(client, Login.of(login).refresh).headers["Cache-Control"] == "no-store"


class TestOtherSites:
    """C3."""

    def test_refresh(self, unlimited: TestClient, ada: Person) -> None:
        login = begin(unlimited, ada.email)
        for headers, status in SITES:
            response = refresh(unlimited, login.refresh, headers)

            assert (headers, response.status_code) == (headers, status)
            if status == 403:
                assert code_of(response) == "FORBIDDEN"
                login = go_on(unlimited, login.refresh)  # it was not rotated
            else:
                login = Login.of(response)

    def test_logout(self, unlimited: TestClient, ada: Person) -> None:
        login = begin(unlimited, ada.email)
        for headers, status in SITES:
            response = log_out(unlimited, login.refresh, headers)

            expected = (204, 401) if status == 200 else (403, 200)
            got = (response.status_code, me(unlimited, login.access).status_code)
            assert (headers, got) == (headers, expected)
            login = begin(unlimited, ada.email) if status == 200 else login

    def test_the_origin_is_that_of_public_url(self, https: TestClient, ada: Person) -> None:
        login = Login.of(log_in(https, ada.email))

        for origin in ("http://madang.example", "https://madang.example.evil", ORIGIN):
            other = refresh(https, login.refresh, {"Origin": origin}, HOST_COOKIE)
            assert other.status_code == 403
        mine = refresh(https, login.refresh, {"Origin": HTTPS_ORIGIN}, HOST_COOKIE)
        assert mine.status_code == 200

    def test_two_origins_are_malformed(self, client: TestClient, ada: Person) -> None:
        login = begin(client, ada.email)
        headers = [
            ("Origin", ORIGIN),
            ("Origin", "https://evil.example"),
            ("Cookie", f"{COOKIE}={login.refresh}"),
        ]

        assert client.post(PATHS[0], headers=headers).status_code == 400
        go_on(client, login.refresh)


class TestTossing:
    """C5: with two of a name nobody can tell whose is whose."""

    @pytest.mark.parametrize("path", PATHS)
    @pytest.mark.parametrize("order", [0, 1])
    def test_two_cookies_are_refused(
        self, https: TestClient, ada: Person, path: str, order: int
    ) -> None:
        login = Login.of(log_in(https, ada.email))
        pair = [f"{HOST_COOKIE}={login.refresh}", f"{HOST_COOKIE}=tossed"]
        cookie = "; ".join(reversed(pair) if order else pair)

        response = https.post(path, headers={**PROGRAM, "Cookie": cookie})

        assert response.status_code == 401
        go_on(https, login.refresh, name=HOST_COOKIE)

    def test_nor_the_same_one_twice_nor_in_two_headers(
        self, client: TestClient, ada: Person
    ) -> None:
        login = begin(client, ada.email)
        cookie = ("Cookie", f"{COOKIE}={login.refresh}")

        twice = {**PROGRAM, "Cookie": f"{cookie[1]}; {cookie[1]}"}
        assert client.post(PATHS[0], headers=twice).status_code == 401
        headers = [*PROGRAM.items(), cookie, cookie]
        assert client.post(PATHS[0], headers=headers).status_code in (400, 401)
        go_on(client, login.refresh)

    def test_other_cookies_do_no_harm(self, client: TestClient, ada: Person) -> None:
        login = begin(client, ada.email)
        cookie = f"a=1; {COOKIE}={login.refresh};__Host-{COOKIE}=x; Refresh_Token=y; lonely"

        response = client.post(PATHS[0], headers={**PROGRAM, "Cookie": cookie})

        client.cookies.clear()
        assert response.status_code == 200


class TestWhatItIsNot:
    @pytest.mark.parametrize("name", [COOKIE, HOST_COOKIE, "access_token_cookie", "Authorization"])
    def test_no_cookie_is_an_access_token(self, client: TestClient, ada: Person, name: str) -> None:
        """C4."""
        login = begin(client, ada.email)

        for token in (login.access, login.refresh):
            headers = {**PROGRAM, "Cookie": f"{name}={token}"}
            assert client.get("/api/v1/users/me", headers=headers).status_code == 401

    def test_an_access_token_does_not_refresh(self, client: TestClient, ada: Person) -> None:
        """T3."""
        login = begin(client, ada.email)

        assert refresh(client, login.access).status_code == 401
        assert log_out(client, login.access).status_code == 401
        headers = {**PROGRAM, **login.auth}
        assert client.post(PATHS[0], headers=headers).status_code == 401
        go_on(client, login.refresh)

    def test_a_refresh_token_is_no_bearer(self, client: TestClient, ada: Person) -> None:
        """T3."""
        login = begin(client, ada.email)

        response = me(client, login.refresh)

        assert response.status_code == 401
        assert 'error="invalid_token"' in response.headers["WWW-Authenticate"]


@pytest.mark.parametrize("path", PATHS)
def test_only_post_changes_anything(
    app: App, client: TestClient, ada: Person, query: Query, path: str
) -> None:
    """C7."""
    login = begin(client, ada.email)
    before = query("SELECT sessions::text FROM sessions ORDER BY id")
    headers = {**PROGRAM, "Cookie": f"{COOKIE}={login.refresh}"}
    for method in ("GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE"):
        # Of its own, since an answer to HEAD has no body to hold against the contract.
        response = TestClient(app.asgi, base_url=ORIGIN).request(method, path, headers=headers)

        assert (method, response.status_code) == (method, 405)
        assert response.headers["Allow"] == "POST"
    assert query("SELECT sessions::text FROM sessions ORDER BY id") == before
    go_on(client, login.refresh)
