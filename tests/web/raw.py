"""Requests that no well-behaved client can send: ASGI messages as they are."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote, unquote

import httpx
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Message

from tests.spec import assert_documented

Pairs = Sequence[tuple[bytes, bytes]]
JSON: Pairs = [(b"content-type", b"application/json")]
GONE = "the client hangs up"


def ask(
    client: TestClient,
    method: str,
    target: bytes,
    headers: Pairs = (),
    body: Iterable[bytes | str] = (),
    *,
    documented: bool = True,
) -> httpx.Response | None:
    """The answer, held against the contract; None when there was none.

    *target* goes out as it stands, *body* in these chunks, where ``GONE`` ends the connection. Not
    *documented*: what is asked for only looks like something in the contract.
    """
    assert client.portal is not None
    scope = _scope(method, target, headers)
    answer = client.portal.call(exchange, client.app, scope, body)
    if answer is not None and documented:
        assert_documented(answer)
    return answer


async def exchange(
    app: ASGIApp, scope: dict[str, Any], body: Iterable[bytes | str] = ()
) -> httpx.Response | None:
    chunks = iter(body)
    sent: list[Message] = []

    async def receive() -> Message:
        chunk = next(chunks, None)
        if isinstance(chunk, str):
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": chunk or b"", "more_body": chunk is not None}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    if not sent:
        return None
    return httpx.Response(
        sent[0]["status"],
        headers=sent[0]["headers"],
        content=b"".join(message.get("body", b"") for message in sent[1:]),
        request=httpx.Request(scope["method"], f"http://localhost{quote(scope['path'])}"),
    )


def run(app: ASGIApp, **changes: Any) -> httpx.Response | None:
    """One request to a part of the service that stands alone."""
    return asyncio.run(exchange(app, _scope("GET", b"/", ()) | changes))


def _scope(method: str, target: bytes, headers: Pairs) -> dict[str, Any]:
    path, _, query = target.partition(b"?")
    return {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path.decode("latin-1")),
        "raw_path": path,
        "query_string": query,
        "root_path": "",
        "headers": [(b"host", b"localhost"), *headers],
        "client": ("testclient", 50000),
        "server": ("localhost", 80),
    }
