"""The twin of the errorhandler blueprint, for what was raised before Flask."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.web.errorhandler import JSON, failure


class Errors:
    def __init__(self, app: ASGIApp, *, debug: bool) -> None:
        self.app = app
        self.debug = debug

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except Exception as err:
            found = failure(err, debug=self.debug)
            if started:  # nothing can be mended any more: the server cuts the connection
                raise
            await respond(send, found.status, found.body, {"Content-Type": JSON, **found.headers})


async def respond(send: Send, status: int, body: bytes, headers: dict[str, str]) -> None:
    """Send one whole answer."""
    is_bodiless = status in (204, 304)  # RFC 9110, 8.6: no length there, or that of another answer
    length = [] if is_bodiless else [(b"content-length", str(len(body)).encode())]
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw + length})
    await send({"type": "http.response.body", "body": body})
