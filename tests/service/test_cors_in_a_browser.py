"""What a browser lets pages of two other origins do: one is listed, the other is not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from playwright.sync_api import Page, sync_playwright

from tests import live
from tests.people import PASSWORD, Person
from tests.service.test_docs_in_a_browser import QUIET
from tests.system import require

pytestmark = pytest.mark.slow

ASK = """async ([url, options]) => {
  try {
    const answer = await fetch(url, options);
    return {status: answer.status, body: await answer.json(), id: answer.headers.get("X-Request-ID")};
  } catch (error) {
    return {error: error.name};
  }
}"""
JSON = {"Content-Type": "application/json"}
UNREADABLE = {"error": "TypeError"}


class EmptyPage(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nothing to tell."""


@contextmanager
def website() -> Iterator[str]:
    """Its origin."""
    with ThreadingHTTPServer(("127.0.0.1", 0), EmptyPage) as server:
        Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def listed() -> Iterator[str]:
    with website() as origin:
        yield origin


@pytest.fixture
def unlisted() -> Iterator[str]:
    with website() as origin:
        yield origin


@pytest.fixture
def api(
    environment: dict[str, str],
    app: object,
    listed: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """The address of a service that lists one of them; ``app`` has built the database."""
    own = {name: value for name, value in environment.items() if name != "PUBLIC_URL"}
    log = tmp_path_factory.mktemp("cors") / "log"
    with live.serve({**own, "CORS_ORIGINS": listed}, log) as server:
        yield f"{server.url}/api/v1"


@pytest.fixture
def page(api: str) -> Iterator[Page]:
    """Closed before the service, which waits for open connections to end."""
    chromium = require("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=[*QUIET])
        yield browser.new_page()
        browser.close()


def ask(page: Page, url: str, method: str = "GET", **options: Any) -> dict[str, Any]:
    """What a script of the page gets to see."""
    found: dict[str, Any] = page.evaluate(ASK, [url, {"method": method, **options}])
    return found


def log_in(page: Page, api: str, ada: Person) -> dict[str, Any]:
    body = f'{{"email": "{ada.email}", "password": "{PASSWORD}"}}'
    return ask(page, f"{api}/auth/login", "POST", headers=JSON, body=body)


def auth(session: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {session['body']['data']['access_token']}"}


def test_a_page_of_a_listed_origin_reads_and_writes(
    page: Page, api: str, listed: str, ada: Person
) -> None:
    page.goto(listed)
    headers = {**auth(log_in(page, api, ada)), **JSON, "X-Request-ID": "from-a-page"}

    posts = ask(page, f"{api}/posts")
    changed = ask(page, f"{api}/users/me", "PATCH", headers=headers, body='{"bio": "hello"}')
    refused = ask(page, f"{api}/users/me")
    missing = ask(page, f"{api}/nowhere", headers={"X-Request-ID": "lost"})

    assert (posts["status"], posts["body"]["status"]) == (200, "ok")
    assert (changed["status"], changed["body"]["data"]["bio"]) == (200, "hello")
    assert changed["id"] == "from-a-page"
    assert (refused["status"], refused["body"]["error"]["code"]) == (401, "UNAUTHORIZED")
    assert (missing["status"], missing["id"]) == (404, "lost")


def test_a_page_of_a_listed_origin_does_not_get_at_the_cookie(
    page: Page, api: str, listed: str, ada: Person
) -> None:
    """The cookie itself is there: 127.0.0.1 is one site, whatever the port."""
    own = api.removesuffix("/api/v1")
    page.goto(f"{own}/docs/errors")
    assert log_in(page, api, ada)["status"] == 200

    page.goto(listed)
    assert ask(page, f"{api}/auth/refresh", "POST", credentials="include") == UNREADABLE

    page.goto(f"{own}/docs/errors")
    assert ask(page, f"{api}/auth/refresh", "POST")["status"] == 200


def test_a_page_of_another_origin_reads_nothing_and_changes_nothing(
    page: Page, api: str, unlisted: str, ada: Person
) -> None:
    """H3."""
    own = f"{api.removesuffix('/api/v1')}/docs/errors"
    page.goto(own)
    token = auth(log_in(page, api, ada))

    page.goto(unlisted)
    assert ask(page, f"{api}/posts") == UNREADABLE
    changed = ask(page, f"{api}/users/me", "PATCH", headers=token | JSON, body='{"bio": "mine"}')
    assert changed == UNREADABLE

    page.goto(own)
    assert ask(page, f"{api}/users/me", headers=token)["body"]["data"]["bio"] is None
