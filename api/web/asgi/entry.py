"""The first and the last to see a request: ids, headers of every answer, HEAD, the access line."""

from __future__ import annotations

import re

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.config import Settings
from api.infra import tracing
from api.infra.ids import new_name
from api.infra.logging import request_fields
from api.web import context
from api.web.asgi import access
from api.web.asgi.client_address import client_address
from api.web.asgi.headers import first
from api.web.context import Bucket, RequestContext
from api.web.contract import Operation

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")

API_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
RawHeaders = list[tuple[bytes, bytes]]

HSTS = "max-age=31536000; includeSubDomains"


class Entry:
    def __init__(self, app: ASGIApp, settings: Settings, *, lifespan: ASGIApp) -> None:
        self.app = app
        self.lifespan = lifespan
        self.hops = settings.trusted_proxy_hops
        headers = API_HEADERS | ({"Strict-Transport-Security": HSTS} if settings.https else {})
        self.headers = _raw(headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.lifespan(scope, receive, send)
            return
        if scope["type"] == "websocket":  # servers offer it to whoever asks, we have none: 403
            await send({"type": "websocket.close"})
            return
        request = _context(scope, self.hops)
        context.enter(request)
        request_fields.set(
            {
                "request_id": request.request_id,
                "trace_id": request.span.trace_id,
                "span_id": request.span.span_id,
            }
        )
        answer = _Answer(send, request, self.headers, is_head=scope["method"] == "HEAD")
        started = access.begin()
        try:
            await self.app(scope, receive, answer)
        finally:
            access.end(scope, request, answer, started)


class _Answer:
    """Passes the answer on: adds the headers of every answer, leaves out a body nobody asked for."""

    def __init__(
        self, send: Send, request: RequestContext, headers: RawHeaders, *, is_head: bool
    ) -> None:
        self._send = send
        self._request = request
        self._headers = headers
        self._is_head = is_head
        self.status = 0
        self.bytes = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message = {**message, "headers": self._with_ours(message["headers"])}
        elif message["type"] == "http.response.body":
            if self._is_head:
                message = {**message, "body": b""}
            self.bytes += len(message.get("body", b""))
        await self._send(message)

    def _with_ours(self, headers: RawHeaders) -> RawHeaders:
        names = {name for name, _ in headers}
        request = self._request
        found = [
            *headers,
            *[line for line in self._headers if line[0] not in names],
            (b"x-request-id", request.request_id.encode("latin-1")),
            (b"traceparent", request.span.traceparent.encode("latin-1")),
            *_rate_headers(request.buckets),
        ]
        return _announcing_the_end(found, request.operation)


def _raw(headers: dict[str, str]) -> RawHeaders:
    return [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]


def _context(scope: Scope, hops: int) -> RequestContext:
    given = first(scope, b"x-request-id")
    return RequestContext(
        request_id=given if given and REQUEST_ID.fullmatch(given) else new_name(),
        span=tracing.begin(first(scope, b"traceparent") or ""),
        ip=client_address(scope, hops),
    )


def _rate_headers(buckets: list[Bucket]) -> RawHeaders:
    """Of the bucket that is nearest to empty; the structured ones list them all."""
    if not buckets:
        return []
    tightest = min(buckets, key=lambda bucket: bucket.remaining / bucket.limit)
    policy = ", ".join([f'"{b.name}";q={b.limit};w={b.window}' for b in buckets])
    left = ", ".join([f'"{b.name}";r={b.remaining};t={b.resets_in}' for b in buckets])
    return [
        (b"ratelimit-policy", policy.encode()),
        (b"ratelimit", left.encode()),
        (b"x-ratelimit-limit", b"%d" % tightest.limit),
        (b"x-ratelimit-remaining", b"%d" % tightest.remaining),
        (b"x-ratelimit-reset", b"%d" % tightest.resets_in),
    ]


def _announcing_the_end(raw: RawHeaders, operation: Operation | None) -> RawHeaders:
    """A list may have links to its pages already, so this one comes beside them."""
    if operation is None or operation.deprecation is None:
        return raw
    headers = MutableHeaders(raw=raw)
    headers.update(operation.deprecation.headers())
    place = f"/docs#/{operation.tag}/{operation.id}"
    headers.append("Link", f'<{place}>; rel="deprecation"')
    return headers.raw
