"""The contract as it is published, and the pages that show it without asking any other host."""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import json
from functools import cache
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import cast

from starlette.datastructures import Headers
from starlette.types import Scope, Send

from api.web import tags
from api.web.asgi import error_pages
from api.web.asgi.errors import respond
from api.web.asgi.routes import RootHandler
from api.web.contract import BUNDLE, Contract

PAGES = Path(__file__).with_name("pages")
ASSETS = "/docs/assets/"
"""Where pages look for what they load. What they get has a folder for each state of it (``assets_place``)."""
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; connect-src 'self'; worker-src blob:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
PAGE_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": PAGE_POLICY,
    "Cache-Control": "no-cache",
}
FOREVER = "public, max-age=31536000, immutable"
TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".png": "image/png",
    ".svg": "image/svg+xml",
}
LOGO = b"https://cdn.redoc.ly/redoc/logo-mini"
"""Where Redoc looks for its logo, which has no setting; the page's policy would refuse it."""


def root_handlers(contract: Contract) -> dict[str, RootHandler]:
    """By operation id: the documents that the contract itself describes."""
    as_json = json.dumps(contract.document, ensure_ascii=False, separators=(",", ":")).encode()
    return {
        "get_openapi_yaml": _contract(BUNDLE.read_bytes(), "application/yaml"),
        "get_openapi_json": _contract(as_json, "application/json"),
        "get_docs": _page("docs.html"),
        "get_redoc": _page("redoc.html"),
    }


def pages(contract: Contract) -> dict[str, RootHandler]:
    """By path: what stands beside the contract, for browsers only."""
    rendered = error_pages.render(contract).items()
    errors = {path: _document(_placed(body), PAGE_HEADERS) for path, body in rendered}
    assets = {assets_place() + name: _asset(path) for name, path in _assets().items()}
    return {"/": _to_docs, **errors, **assets}


def _contract(body: bytes, media_type: str) -> RootHandler:
    return _document(body, {"Content-Type": media_type, "Cache-Control": "public, max-age=60"})


def _document(body: bytes, headers: dict[str, str]) -> RootHandler:
    """Sent anew only to those who have another one."""
    tag = hashlib.sha256(body).hexdigest()[:32]
    headers = {"ETag": f'"{tag}"', **headers}
    unchanged = {name: value for name, value in headers.items() if name != "Content-Type"}

    async def handler(scope: Scope, send: Send) -> None:
        asked = Headers(scope=scope).getlist("if-none-match")
        if tags.names_any(asked) or tag in tags.named(asked):
            await respond(send, 304, b"", unchanged)
        else:
            await respond(send, 200, body, headers)

    return handler


def _page(name: str) -> RootHandler:
    body = _placed((PAGES / name).read_bytes())

    async def handler(_: Scope, send: Send) -> None:
        await respond(send, 200, body, PAGE_HEADERS)

    return handler


def _asset(path: Path) -> RootHandler:
    headers = {"Content-Type": TYPES[path.suffix], "Cache-Control": FOREVER}

    def read() -> bytes:
        return _placed(path.read_bytes().replace(LOGO, ASSETS.encode() + b"logo-mini"))

    async def handler(_: Scope, send: Send) -> None:
        await respond(send, 200, await asyncio.to_thread(read), headers)

    return handler


async def _to_docs(_: Scope, send: Send) -> None:
    await respond(send, 302, b"", {"Location": "/docs"})


@cache
def _assets() -> dict[str, Path]:
    """Swagger UI and Redoc out of two packages that are here for these files only."""
    [swagger_ui] = _package("swagger_ui_bundle").glob("vendor/swagger-ui-*")
    redoc = _package("flask_openapi_redoc") / "templates" / "redoc"
    return {
        "swagger-ui.css": swagger_ui / "swagger-ui.css",
        "swagger-ui-bundle.js": swagger_ui / "swagger-ui-bundle.js",
        "favicon.png": swagger_ui / "favicon-32x32.png",
        "redoc.standalone.js": redoc / "js" / "redoc.standalone.js",
        "logo-mini.svg": redoc / "images" / "redoc.svg",
        "logo-mini-full.svg": redoc / "images" / "redoc.svg",
        "docs.js": PAGES / "docs.js",
        "redoc.js": PAGES / "redoc.js",
        "errors.css": PAGES / "errors.css",
    }


@cache
def assets_place() -> str:
    """Another one whenever a file is another one, so that browsers may keep them for good."""
    states = b"".join(hashlib.sha256(path.read_bytes()).digest() for path in _assets().values())
    return f"{ASSETS}{hashlib.sha256(states).hexdigest()[:16]}/"


def _placed(body: bytes) -> bytes:
    return body.replace(ASSETS.encode(), assets_place().encode())


def _package(name: str) -> Path:
    """Its folder, found without importing it."""
    spec = cast(ModuleSpec, importlib.util.find_spec(name))
    return Path(cast(str, spec.origin)).parent
