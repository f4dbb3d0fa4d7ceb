"""Every ``Authorization`` header is checked, whatever the operation says. No I/O on this road.

It stands before the guard, so that what the guard refuses is charged to the person who sent it.
"""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from api.errors import TokenInvalid, Unauthorized
from api.infra.tokens import AccessTokens
from api.web import context


class Signature:
    def __init__(self, app: ASGIApp, tokens: AccessTokens) -> None:
        self.app = app
        self.tokens = tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request, operation = context.current(), context.operation()
        header = None if operation.is_root else Headers(scope=scope).get("authorization")
        if header is not None:
            scheme, _, token = header.partition(" ")
            if scheme.lower() != "bearer":
                raise TokenInvalid()
            request.claims = self.tokens.verify(token.strip(" "))
        elif operation.needs_login:
            raise Unauthorized()
        await self.app(scope, receive, send)
