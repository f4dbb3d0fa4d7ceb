"""Requests as bytes: sizes, headers, media types, targets, and clients that leave."""

from __future__ import annotations

import httpx
import pytest
from starlette.testclient import TestClient

from api.web.asgi.guard import LARGEST_BODY
from api.web.contract import Operation
from tests.people import Person
from tests.spec import CONTRACT
from tests.web.apps import written
from tests.web.raw import GONE, JSON, Pairs, ask

LOGIN = "/api/v1/auth/login"
BODY = b'{"email":"a@example.com","password":"not the right one"}'


def refused(answer: httpx.Response | None, status: int, **details: str) -> None:
    assert answer is not None
    assert answer.status_code == status
    assert answer.json()["error"]["details"] == details


def posts(client: TestClient, headers: Pairs, body: bytes = BODY) -> httpx.Response | None:
    return ask(client, "POST", LOGIN.encode(), headers, [body])


class TestSize:
    def test_64_kib_are_read(self, client: TestClient) -> None:
        body = b" " * (LARGEST_BODY - len(BODY)) + BODY

        assert client.post(LOGIN, content=body, headers=dict(json_header())).status_code == 401

    def test_one_byte_more_is_refused(self, client: TestClient) -> None:
        body = b" " * (LARGEST_BODY + 1 - len(BODY)) + BODY

        response = client.post(LOGIN, content=body, headers=dict(json_header()))

        assert response.status_code == 413
        assert response.json()["error"]["code"] == "PAYLOAD_TOO_LARGE"

    def test_a_length_that_is_too_large_is_refused_before_anything_is_read(
        self, client: TestClient
    ) -> None:
        length = str(LARGEST_BODY + 1).encode()

        answer = ask(
            client, "POST", LOGIN.encode(), [*JSON, (b"content-length", length)], never_asked_for()
        )

        refused(answer, 413)

    @pytest.mark.parametrize("said", [None, b"10", b"-1", b"ten", "²".encode("latin-1")])
    def test_what_comes_counts_whatever_the_length_says(
        self, client: TestClient, said: bytes | None
    ) -> None:
        """A known trap: a 5 MB body was read whole. Nothing after the first byte too many is read."""
        length = [(b"content-length", said)] if said else []

        answer = ask(client, "POST", LOGIN.encode(), [*JSON, *length], endless())

        refused(answer, 413)

    def test_a_length_of_thousands_of_digits_is_too_large(self, client: TestClient) -> None:
        answer = posts(client, [*JSON, (b"content-length", b"9" * 5_000)])

        refused(answer, 413)

    def test_a_body_in_chunks_without_a_length_is_read(self, client: TestClient) -> None:
        """A known trap: it was refused as missing."""
        response = client.post(
            LOGIN, content=iter([BODY[:20], BODY[20:]]), headers=dict(json_header())
        )

        assert response.status_code == 401
        assert response.json()["error"]["code"] == "INVALID_CREDENTIALS"


class TestMediaType:
    @pytest.mark.parametrize(
        "value",
        [
            b"application/json",
            b"application/JSON",
            b"APPLICATION/json ;  charset=UTF-8",
            b'application/json; charset="utf-8"',
            b"application/json; charset=utf8",
            b"application/json; version=1",
        ],
    )
    def test_json_in_utf8_is_read_however_it_is_spelt(
        self, client: TestClient, value: bytes
    ) -> None:
        """A known trap: an oddly cased media type was a 500."""
        answer = posts(client, [(b"content-type", value)])

        assert answer is not None
        assert answer.json()["error"]["code"] == "INVALID_CREDENTIALS"

    @pytest.mark.parametrize(
        "value",
        [
            b"",
            b"text/plain",
            b"application/x-www-form-urlencoded",
            b"multipart/form-data; boundary=x",
            b"application/jsonx",
            b"application/json, text/plain",
            b"application/json; charset=latin-1",
            b"application/json; charset=utf-16",
            b"application/json; charset=",
            b"application/json; charset=utf-8; charset=latin-1",
            b"application/json; charset = latin-1",
            b"application/json;CHARSET=ascii",
            b"\xff\xfe",
        ],
    )
    def test_anything_else_is_refused(self, client: TestClient, value: bytes) -> None:
        refused(posts(client, [(b"content-type", value)]), 415)

    def test_no_media_type_is_refused(self, client: TestClient) -> None:
        """A known trap: it was a 500."""
        refused(posts(client, []), 415)

    def test_two_media_types_are_refused(self, client: TestClient) -> None:
        """A known trap: they were a 500."""
        refused(posts(client, [*JSON, *JSON]), 400, **{"content-type": "is given more than once"})

    @pytest.mark.parametrize(
        "value", [b"gzip", b"br", b"deflate, gzip", b"GZIP", b"identity, gzip", b"x"]
    )
    def test_compressed_bodies_are_refused(self, client: TestClient, value: bytes) -> None:
        refused(posts(client, [*JSON, (b"content-encoding", value)]), 415)

    def test_identity_is_no_compression(self, client: TestClient) -> None:
        answer = posts(client, [*JSON, (b"content-encoding", b"Identity")])

        assert answer is not None
        assert answer.status_code == 401

    @pytest.mark.parametrize(
        "value", [b"text/plain", b"", b"application/json; charset=latin-1", b"/"]
    )
    def test_where_nothing_was_sent_the_type_does_not_matter(
        self, client: TestClient, value: bytes
    ) -> None:
        """Connexion's own refusal of it is no failure the service knows: it was a 500."""
        answer = posts(client, [(b"content-type", value)], b"")

        refused(answer, 400, body="is required")


class TestHeaders:
    @pytest.mark.parametrize(
        "name",
        [b"authorization", b"content-type", b"content-length", b"host", b"origin", b"x-request-id"],
    )
    def test_a_header_that_may_stand_once_is_refused_twice(
        self, client: TestClient, ada: Person, name: bytes
    ) -> None:
        values = {b"authorization": ada.auth["Authorization"].encode(), b"host": b"localhost"}
        headers = [(name, values.get(name, b"0"))] * (1 if name == b"host" else 2)

        answer = ask(client, "GET", b"/api/v1/posts", headers)

        refused(answer, 400, **{name.decode(): "is given more than once"})

    def test_others_may_come_twice(self, client: TestClient) -> None:
        answer = ask(client, "GET", b"/api/v1/posts", [(b"x-name", b"a"), (b"x-name", b"b")])

        assert answer is not None
        assert answer.status_code == 200


BODILESS = [
    operation
    for operation in CONTRACT.operations.values()
    if operation.body is None and not operation.is_root
]


@pytest.mark.parametrize("operation", BODILESS, ids=lambda operation: operation.id)
def test_a_body_where_none_is_described_is_refused(
    client: TestClient, ada: Person, operation: Operation
) -> None:
    path = operation.path.replace("{id}", str(ada.id)).encode()
    headers = [*JSON, (b"authorization", ada.auth["Authorization"].encode())]

    answer = ask(client, operation.method, path, headers, [b"{}"])

    refused(answer, 400, body="is not expected here")


class TestTarget:
    @pytest.mark.parametrize(
        "target",
        [
            b"/api/v1/posts?page=\xd9\xa3",
            b"/api/v1/posts?\xff=1",
            b"/api/v1/posts?page=%ff",
            b"/api/v1/posts?page=%c0%af",
            b"/api/v1/posts?page=%ed%a0%80",
            b"/api/v1/posts?%f0%9f=1",
            b"/api/v1/posts/%ff",
            b"/api/v1/posts/\xff",
        ],
    )
    def test_only_percent_encoded_utf8_is_read(self, client: TestClient, target: bytes) -> None:
        refused(ask(client, "GET", target), 400, url="is not percent-encoded UTF-8")

    @pytest.mark.parametrize(
        "target",
        [b"/api/v1/posts?page=1%00", b"/api/v1/posts?%00=1", b"/api/v1/posts/%00", b"/healthz?%00"],
    )
    def test_nul_is_refused(self, client: TestClient, target: bytes) -> None:
        """A known trap: PostgreSQL cannot take it."""
        refused(ask(client, "GET", target), 400, url="must not contain NUL")


class TestUnfinishedBodies:
    """The client has gone and hears nothing of it, or was too slow for the server in front."""

    @pytest.mark.parametrize("chunks", [[GONE], [BODY[:10], GONE], [BODY[:10], BODY[10:], GONE]])
    def test_are_no_error_of_ours(self, client: TestClient, chunks: list[bytes]) -> None:
        with written() as log:
            answer = ask(client, "POST", LOGIN.encode(), JSON, chunks)

        refused(answer, 400, body="is incomplete")
        assert {line["level"] for line in log.lines} == {"INFO"}
        assert log.lines[-1]["route"] == LOGIN

    def test_store_nothing(self, client: TestClient, ada: Person) -> None:
        headers = [*JSON, (b"authorization", ada.auth["Authorization"].encode())]

        ask(client, "POST", b"/api/v1/posts", headers, [b'{"title":"t","body":"b"', GONE])

        assert client.get("/api/v1/users/me", headers=ada.auth).json()["data"]["post_count"] == 0


def json_header() -> list[tuple[str, str]]:
    return [("Content-Type", "application/json")]


def endless():  # type: ignore[no-untyped-def]
    """More than the limit, and a test that fails when the service asks for much more than that."""
    for _ in range(2 + LARGEST_BODY // 8_192):
        yield b" " * 8_192
    raise AssertionError("the service went on reading")


def never_asked_for():  # type: ignore[no-untyped-def]
    raise AssertionError("the service read the body")
    yield b""
