"""Which operation a request is for: exactly one, or 404, or 405 with every method there is.

Decided before Connexion, whose router redirects slashes, answers an incomplete ``Allow`` and knows no
HEAD.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from api.errors import MethodNotAllowed, NotFound
from api.web import context
from api.web.contract import Contract, Operation, Route

RootHandler = Callable[[Scope, Send], Awaitable[None]]


class Routes:
    def __init__(
        self,
        app: ASGIApp,
        contract: Contract,
        root: dict[str, RootHandler],
        pages: dict[str, RootHandler],
    ) -> None:
        """*root*: handlers of root operations by their id; *pages*: what no contract describes."""
        self.app = app
        self.contract = contract
        self.root = root
        self.pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        if page := self.pages.get(scope["path"]):
            _only_get(method)
            await page(scope, send)
            return
        route = self.contract.match(scope["path"])
        if route is None:
            raise NotFound()
        operation = route.get(method)
        if operation is None:
            raise MethodNotAllowed(_allowed(route))
        context.current().operation = operation
        await self._serve(operation, {**scope, "method": method}, receive, send)

    async def _serve(
        self, operation: Operation, scope: Scope, receive: Receive, send: Send
    ) -> None:
        if operation.is_root:
            await self.root[operation.id](scope, send)
        else:
            await self.app(scope, receive, send)


def _only_get(method: str) -> None:
    if method != "GET":
        raise MethodNotAllowed("GET, HEAD")


def _allowed(route: Route) -> str:
    methods = [*route, "HEAD"] if "GET" in route else [*route]
    return ", ".join(sorted(methods))
