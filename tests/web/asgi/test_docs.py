"""The contract as published, and the pages that show it: all from here, nothing from elsewhere."""

from __future__ import annotations

import json
import re

import pytest
from starlette.testclient import TestClient

from api.web.asgi.docs import ASSETS, TYPES, pages
from api.web.contract import BUNDLE
from tests.spec import CONTRACT

DOCUMENTS = {"/openapi.yaml": "application/yaml", "/openapi.json": "application/json"}


class TestDocuments:
    def test_the_yaml_is_the_committed_bundle(self, client: TestClient) -> None:
        """A known trap: Connexion's own answer is another document, made anew at every request."""
        assert client.get("/openapi.yaml").content == BUNDLE.read_bytes()

    def test_the_json_says_the_same(self, client: TestClient) -> None:
        assert json.loads(client.get("/openapi.json").content) == CONTRACT.document

    @pytest.mark.parametrize("path", DOCUMENTS)
    def test_what_a_client_has_is_not_sent_again(self, client: TestClient, path: str) -> None:
        first = client.get(path)
        etag = first.headers["ETag"]
        assert first.headers["Content-Type"].startswith(DOCUMENTS[path])

        for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
            again = client.get(path, headers={"If-None-Match": known})
            assert (again.status_code, again.content) == (304, b"")
            assert "Content-Length" not in again.headers  # RFC 9110, 8.6: it would be the 200's
            assert again.headers["ETag"] == etag
            assert again.headers["Cache-Control"] == first.headers["Cache-Control"]
        lines = [("If-None-Match", '"other"'), ("If-None-Match", etag)]
        assert client.get(path, headers=lines).status_code == 304
        other = client.get(path, headers={"If-None-Match": '"other"'})
        assert other.status_code == 200

    def test_each_has_a_tag_of_its_own(self, client: TestClient) -> None:
        assert len({client.get(path).headers["ETag"] for path in DOCUMENTS}) == 2


class TestPages:
    def test_the_root_leads_to_them(self, client: TestClient) -> None:
        response = client.get("/")

        assert [hop.status_code for hop in response.history] == [302]
        assert response.url.path == "/docs"
        assert response.status_code == 200

    @pytest.mark.parametrize("path", ["/docs", "/redoc"])
    def test_everything_they_load_is_here(self, client: TestClient, path: str) -> None:
        """A known trap: no other host is asked."""
        page = client.get(path).text
        loaded = re.findall(r'(?:src|href)="([^"]+)"', page)

        assert loaded
        for link in loaded:
            assert link.startswith("/")
            assert client.get(link).status_code == 200

    @pytest.mark.parametrize("path", ["/docs", "/redoc"])
    def test_have_a_policy_of_their_own_without_inline_scripts(
        self, client: TestClient, path: str
    ) -> None:
        """A known trap: ``default-src 'none'`` alone blanks them."""
        response = client.get(path)
        policy = dict(
            part.strip().split(" ", 1)
            for part in response.headers["Content-Security-Policy"].split(";")
        )

        assert policy["default-src"] == policy["frame-ancestors"] == "'none'"
        assert policy["script-src"] == policy["connect-src"] == "'self'"
        assert "<script>" not in response.text
        assert " onload=" not in response.text
        assert "://" not in response.headers["Content-Security-Policy"]

    @pytest.mark.parametrize("path", [path for path in pages(CONTRACT) if path.startswith(ASSETS)])
    def test_assets_say_what_they_are(self, client: TestClient, path: str) -> None:
        response = client.get(path)

        kinds = {kind.removeprefix("."): name for kind, name in TYPES.items()}
        assert response.headers["Content-Type"] == kinds[path.rpartition(".")[2]]
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert response.content
        # What it loads itself has to be of the same state.
        assert f'"{ASSETS}' not in response.text.replace(path.rpartition("/")[0], "")
