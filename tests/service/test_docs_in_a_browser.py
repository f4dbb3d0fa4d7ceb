"""/docs and /redoc as a person sees them, with no other host to ask."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, sync_playwright

from tests import live
from tests.people import PASSWORD, Person
from tests.system import require

QUIET = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
)

pytestmark = pytest.mark.slow


@pytest.fixture
def page(server: live.Server) -> Iterator[Page]:
    """A page that fails the test when it asks another host, or finds a fault in itself."""
    chromium = require("chromium")
    faults: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=[*QUIET])
        page = browser.new_page()
        page.on("request", lambda request: _note_foreign(request.url, server.url, faults))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda line: faults.append(line.text) if line.type == "error" else None)
        yield page
        browser.close()
    assert faults == []


def test_docs_lets_one_log_in_and_try_things_out(
    page: Page, server: live.Server, ada: Person
) -> None:
    page.goto(server.url)
    _execute(page, "log_in", f'{{"email": "{ada.email}", "password": "{PASSWORD}"}}')
    answer = page.locator("#operations-Auth-log_in .live-responses-table")
    assert answer.locator(".response-col_status").last.inner_text().startswith("200")

    _execute(page, "refresh_session", None)
    answer = page.locator("#operations-Auth-refresh_session .live-responses-table")
    assert answer.locator(".response-col_status").last.inner_text().startswith("200")
    assert "access_token" in answer.inner_text()


def test_redoc_draws_the_reference(page: Page, server: live.Server) -> None:
    page.goto(f"{server.url}/redoc")

    page.get_by_role("heading", name="Madang").wait_for()
    page.get_by_text("Posts", exact=True).first.click()
    page.get_by_text("/posts", exact=False).first.wait_for()
    page.get_by_alt_text("redocly logo").wait_for()


def _execute(page: Page, operation_id: str, body: str | None) -> None:
    block = page.locator(f"#operations-Auth-{operation_id}")
    block.locator(".opblock-summary-control").click()
    block.get_by_role("button", name="Try it out").click()
    if body is not None:
        block.locator("textarea.body-param__text").fill(body)
    block.get_by_role("button", name="Execute").click()
    block.locator(".live-responses-table").wait_for()


def _note_foreign(url: str, own: str, faults: list[str]) -> None:
    if not url.startswith((own, "data:", "blob:")):
        faults.append(f"asked {url}")
