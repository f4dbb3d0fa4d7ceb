"""Every ``Authorization`` and ``X-API-Key`` is checked, whatever the operation says. No I/O on this road.

It stands before the guard, so that what the guard refuses is charged to the person who sent it.
"""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from api.errors import KeyInvalid, TokenInvalid, Unauthorized
from api.infra import api_keys
from api.infra.tokens import AccessTokens
from api.web import context
from api.web.asgi.headers import first


class Signature:
    def __init__(self, app: ASGIApp, tokens: AccessTokens) -> None:
        self.app = app
        self.tokens = tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request, operation = context.current(), context.operation()
        if operation.is_root:
            await self.app(scope, receive, send)
            return
        header, key = first(scope, b"authorization"), first(scope, b"x-api-key")
        if key is not None:
            if header is not None or not operation.policy.scope or not api_keys.KEY.fullmatch(key):
                raise KeyInvalid()
            request.api_key = key
        elif header is not None:
            scheme, _, token = header.partition(" ")
            if scheme.lower() != "bearer":
                raise TokenInvalid()
            request.claims = self.tokens.verify(token.strip(" "))
        elif operation.needs_login:
            raise Unauthorized()
        await self.app(scope, receive, send)
