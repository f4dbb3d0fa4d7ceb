"""Which operation a request is for: exactly one, or 404, or 405 with every method there is.

Decided before Connexion, whose router redirects slashes, answers an incomplete ``Allow`` and knows no
HEAD. An encoded slash is no separator: proxies disagree about it, so no path of ours has one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from api.errors import MethodNotAllowed, NotFound
from api.web import context
from api.web.contract import Contract, Route
from api.web.validation import Schemas

RootHandler = Callable[[Scope, Send], Awaitable[None]]


class Routes:
    def __init__(self, app: ASGIApp, contract: Contract, pages: dict[str, RootHandler]) -> None:
        """*pages*: what no contract describes, by path."""
        self.app = app
        self.contract = contract
        self.pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        if page := self.pages.get(scope["path"]):
            _only_get(method)
            await page(scope, send)
            return
        route = self.contract.match(scope["path"])
        if route is None or b"%2f" in scope.get("raw_path", b"").lower():
            raise NotFound()
        operation = route.get(method)
        if operation is None:
            raise MethodNotAllowed(_allowed(route))
        context.current().operation = operation
        await self.app({**scope, "method": method}, receive, send)


class Root:
    """Answers the operations of the contract that stand outside the API: probes, documents."""

    def __init__(self, app: ASGIApp, schemas: Schemas, handlers: dict[str, RootHandler]) -> None:
        """*handlers*: by operation id."""
        self.app = app
        self.schemas = schemas
        self.handlers = handlers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        operation = context.operation()
        if not operation.is_root:
            await self.app(scope, receive, send)
            return
        self.schemas.check_parameters(operation, scope)
        await self.handlers[operation.id](scope, send)


def _only_get(method: str) -> None:
    if method != "GET":
        raise MethodNotAllowed("GET, HEAD")


def _allowed(route: Route) -> str:
    methods = [*route, "HEAD"] if "GET" in route else [*route]
    return ", ".join(sorted(methods))
