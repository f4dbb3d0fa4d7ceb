"""Which pages of other origins may read answers: those that are listed, letter for letter.

Starlette's middleware answers a preflight it refuses in plain text with a status of its own, and names
headers to whoever asks. Here a stranger's preflight is a method like any other that is not there: a 405.
"""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.web.asgi.errors import respond
from api.web.contract import Contract

REQUEST_HEADERS = (
    *("Authorization", "Content-Type", "Idempotency-Key", "If-Match", "If-None-Match"),
    *("X-API-Key", "X-Request-ID", "X-Requested-With", "traceparent"),
)
"""What a page may send beside what it always may."""
RESPONSE_HEADERS = (
    *("Deprecation", "ETag", "Idempotency-Replayed", "Link", "Location"),
    *("RateLimit", "RateLimit-Policy", "Retry-After", "Sunset", "WWW-Authenticate"),
    *("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "X-Request-ID"),
    "traceparent",
)
"""What a page may read beside what it always may."""
MAX_AGE = 600
"""Seconds a browser remembers a preflight, and so goes on sending after an origin was taken out."""


class Cors:
    """No credentials: the one cookie there is stays with the origin that got it (docs/security.md)."""

    def __init__(self, app: ASGIApp, contract: Contract, origins: tuple[str, ...]) -> None:
        self.app = app
        self.origins = origins
        methods = {operation.method for operation in contract.operations.values()} | {"HEAD"}
        self.permission = {
            "Access-Control-Allow-Methods": ", ".join(sorted(methods)),
            "Access-Control-Allow-Headers": ", ".join(REQUEST_HEADERS),
            "Access-Control-Max-Age": str(MAX_AGE),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        origin = self._allowed(headers)

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": _marked(message, origin)}
            await send(message)

        if origin and scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            await respond(answer, 204, b"", self.permission)
        else:
            await self.app(scope, receive, answer)

    def _allowed(self, headers: Headers) -> str | None:
        """The origin that asks, if it may and there is no doubt about which it is."""
        given = headers.getlist("origin")
        return given[0] if len(given) == 1 and given[0] in self.origins else None


def _marked(message: Message, origin: str | None) -> list[tuple[bytes, bytes]]:
    headers = MutableHeaders(raw=list(message["headers"]))
    headers.add_vary_header("Origin")
    if origin:
        headers["Access-Control-Allow-Origin"] = origin
        headers["Access-Control-Expose-Headers"] = ", ".join(RESPONSE_HEADERS)
    return headers.raw
