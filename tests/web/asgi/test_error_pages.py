"""The list of error codes is one: that of the code, of the contract, and of the pages."""

from __future__ import annotations

import copy
import re
from html import unescape

import pytest
from starlette.testclient import TestClient

from api.web.asgi.error_pages import PLACE, render
from api.web.contract import Contract
from tests.spec import CONTRACT
from tests.test_errors import statuses

ERRORS = CONTRACT.document["components"]["schemas"]["ErrorCode"]["x-errors"]
TAG = re.compile(r"<[^>]+>")


def said(page: str) -> dict[str, str]:
    """What stands behind each term of a page, as plain text."""
    found = re.findall(r"<dt>(.+?)</dt><dd>(.+?)</dd>", page)
    return {term: unescape(TAG.sub("", text)) for term, text in found}


@pytest.mark.usefixtures("app")
def test_each_code_of_the_service_has_a_page_with_its_status(client: TestClient) -> None:
    listed = re.findall(r"/([A-Z_]+)\">\1</a></td><td>(\d{3})</td>", client.get(PLACE).text)
    shown = {
        code: said(client.get(f"{PLACE}/{code}").text)["HTTP status"].split()[0]
        for code, _ in listed
    }

    assert shown == dict(listed) == {code: str(status) for code, status in statuses().items()}


@pytest.mark.parametrize("code", ERRORS)
def test_a_page_says_what_the_contract_says(client: TestClient, code: str) -> None:
    response = client.get(f"{PLACE}/{code}")

    found = said(response.text)
    assert f"<h1>{code}</h1>" in response.text
    assert found["What it means"] == ERRORS[code]["meaning"].replace("`", "")
    assert found["What you can do"] == ERRORS[code]["remedy"].replace("`", "")
    assert "`" not in response.text


@pytest.mark.parametrize("path", [PLACE, f"{PLACE}/NOT_FOUND"])
class TestBothKinds:
    def test_are_kept_as_the_other_pages_are(self, client: TestClient, path: str) -> None:
        docs, page = client.get("/docs"), client.get(path)

        for name in ("Content-Type", "Content-Security-Policy", "Cache-Control"):
            assert page.headers[name] == docs.headers[name]

    def test_load_nothing_from_elsewhere_and_run_nothing(
        self, client: TestClient, path: str
    ) -> None:
        page = client.get(path).text

        assert all(client.get(link).is_success for link in re.findall(r'href="([^"]+)"', page))
        assert "<script" not in page and "://" not in page

    def test_are_not_sent_again_to_who_has_them(self, client: TestClient, path: str) -> None:
        first = client.get(path)
        again = client.get(path, headers={"If-None-Match": first.headers["ETag"]})

        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["Cache-Control"] == "no-cache"
        assert "Content-Type" not in again.headers

    def test_head_is_get_without_the_body(self, client: TestClient, path: str) -> None:
        got, head = client.get(path), client.head(path)

        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["Content-Length"] == got.headers["Content-Length"]


@pytest.mark.parametrize("code", ["", "NO_SUCH_CODE", "not_found", "NOT_FOUND/", "%3Cscript%3E"])
def test_a_code_that_there_is_not_has_no_page(client: TestClient, code: str) -> None:
    response = client.get(f"{PLACE}/{code}")

    assert response.status_code == 404
    assert response.json()["error"]["code"] == "NOT_FOUND"


def test_markup_in_the_contract_is_text() -> None:
    document = copy.deepcopy(CONTRACT.document)
    entry = {"status": 400, "meaning": "<b>`<i>`&", "remedy": "\"<script>'"}
    document["components"]["schemas"]["ErrorCode"]["x-errors"] = {"<u>": entry}

    pages = b"".join(render(Contract(document)).values()).decode()

    assert "<code>&lt;i&gt;</code>" in pages
    assert not re.findall(r"<(?:b|i|u|script)>", pages)


def test_the_other_pages_and_the_contract_lead_there(client: TestClient) -> None:
    assert f'href="{PLACE}"' in client.get("/docs").text
    assert f"]({PLACE})" in CONTRACT.document["info"]["description"]
