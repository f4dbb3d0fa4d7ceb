"""From the event loop to Flask and back in one hop: what Connexion found at the start is not looked for again.

Connexion reads the contract, resolves its operations and gives Flask its routes. For each request it would then match
the route twice more, build its decorators anew, and hand each part of the answer from thread to loop and wait.
Here the request is checked by the same schemas, and a thread calls Flask with the handler that Connexion resolved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextvars import copy_context
from functools import partial
from io import BytesIO
from typing import Any

from a2wsgi.wsgi import build_environ
from flask import Flask, Request, Response
from starlette.types import Receive, Scope, Send
from werkzeug.routing import MapAdapter

from api.web import context
from api.web.asgi.threads import Threads
from api.web.validation import Schemas

Handler = Callable[..., Response]
Answer = tuple[int, list[tuple[bytes, bytes]], bytes]


class Bridge:
    def __init__(
        self, flask: Flask, handlers: dict[str, Handler], schemas: Schemas, threads: int
    ) -> None:
        """*handlers*: by operation id, in their policy."""
        self._wsgi: Any = flask.wsgi_app
        self._schemas = schemas
        self._threads = Threads(threads, "flask")
        # Which operation it is was found out before Flask: by its rules it would be sought twice more.
        flask.create_url_adapter = _no_adapter  # type: ignore[assignment, method-assign]
        flask.dispatch_request = partial(_dispatch, handlers)  # type: ignore[method-assign]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        operation, request = context.operation(), context.current()
        match = operation.pattern.fullmatch(scope["path"])
        path = match.groupdict() if match else {}
        request.arguments = self._schemas.check_parameters(
            operation, {**scope, "path_params": path}
        )
        raw = b""
        if operation.body is not None:
            self._schemas.check_body(operation, request.body)
            request.arguments["body"] = request.body
            raw = (await receive())["body"]
        asked = partial(copy_context().run, self._ask, scope, raw)
        status, headers, body = await self._threads.run(asked)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _ask(self, scope: Scope, raw: bytes) -> Answer:
        """In a thread."""
        began: list[tuple[int, list[tuple[bytes, bytes]]]] = []

        def start(status: str, headers: list[tuple[str, str]], _: Any = None) -> None:
            lines = [(n.lower().encode("latin-1"), v.encode("latin-1")) for n, v in headers]
            began.append((int(status[:3]), lines))

        body: Any = BytesIO(raw)
        chunks: Iterable[bytes] = self._wsgi(build_environ(scope, body), start)  # type: ignore[arg-type]
        try:
            whole = b"".join(chunks)
        finally:
            close = getattr(chunks, "close", None)
            if close:
                close()
        return (*began[0], whole)


def _no_adapter(_request: Request | None) -> MapAdapter | None:
    return None


def _dispatch(handlers: dict[str, Handler]) -> Response:
    return handlers[context.operation().id](**context.current().arguments)
