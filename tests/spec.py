"""Holds every answer a test gets against the published contract."""

from __future__ import annotations

from typing import Any

import httpx
from openapi_schema_validator import OAS30ReadValidator

from api.web.contract import Contract, Operation

CONTRACT = Contract.load()
PAGES = ("/", "/docs/assets/", "/docs/errors")
"""Beside the contract on purpose: what a browser needs to show it."""


def operation_of(method: str, path: str) -> Operation | None:
    route = CONTRACT.match(path) or {}
    return route.get("GET" if method == "HEAD" else method)


def assert_documented(response: httpx.Response) -> None:
    """Status, media type, closed body and required headers stand in the contract.

    A path without an operation may answer 404 and nothing else, a method without one 405.
    """
    response.read()
    method, path = response.request.method, response.request.url.path
    is_page = path == PAGES[0] or path.startswith(PAGES[1:])
    if is_page and response.status_code < 400:
        assert response.status_code in ({302} if path == PAGES[0] else {200, 304})
        return
    if _is_preflight(response):
        assert not response.content
        return
    operation = operation_of(method, path)
    if operation is None:
        expected = {404, 405} if is_page else {405 if CONTRACT.match(path) else 404}
        assert response.status_code in expected, f"{method} {path}: {response.status_code}"
        if method != "HEAD":
            _assert_body(_error_schema(), response)
        return
    where = f"{method} {operation.path} {response.status_code}"
    responses = spec_of(operation)["responses"]
    assert str(response.status_code) in responses, f"{where} is not documented"
    documented = CONTRACT.resolve(responses[str(response.status_code)])
    _assert_headers(documented, response, where)
    _assert_content(documented, response, where, is_head=method == "HEAD")


def _is_preflight(response: httpx.Response) -> bool:
    """What a browser asks before it asks; no contract describes it (Fetch, 4.8)."""
    asked = "access-control-request-method" in response.request.headers
    return asked and response.request.method == "OPTIONS" and response.status_code == 204


def spec_of(operation: Operation) -> dict[str, Any]:
    base = "" if operation.is_root else CONTRACT.base_path
    item = CONTRACT.document["paths"][operation.path.removeprefix(base)]
    found: dict[str, Any] = item[operation.method.lower()]
    return found


def _assert_headers(documented: dict[str, Any], response: httpx.Response, where: str) -> None:
    for name, node in documented.get("headers", {}).items():
        header = CONTRACT.resolve(node)
        value = response.headers.get(name)
        assert value is not None or not header.get("required"), f"{where} lacks {name}"
        if value is not None:
            schema = CONTRACT.resolve(header["schema"])
            _validate(schema, int(value) if schema["type"] == "integer" else value, where)


def _assert_content(
    documented: dict[str, Any], response: httpx.Response, where: str, *, is_head: bool
) -> None:
    content = documented.get("content", {})
    if not content:
        assert not response.content, f"{where} has a body"
        assert "content-type" not in response.headers, f"{where} has a content type"
        return
    media_type = response.headers["content-type"].partition(";")[0]
    assert media_type in content, f"{where} is {media_type}"
    if is_head:
        assert not response.content, f"{where} has a body"
    elif media_type == "application/json":
        _assert_body(content[media_type]["schema"], response)


def _assert_body(schema: dict[str, Any], response: httpx.Response) -> None:
    _validate(schema, response.json(), f"{response.request.method} {response.request.url.path}")


def _validate(schema: dict[str, Any], value: Any, where: str) -> None:
    root = {"allOf": [schema], "components": CONTRACT.document["components"]}
    faults = [
        f"{'.'.join(map(str, error.absolute_path))}: {error.message}"
        for error in OAS30ReadValidator(root).iter_errors(value)
    ]
    assert not faults, f"{where}: {faults}"


def _error_schema() -> dict[str, Any]:
    return {"$ref": "#/components/schemas/Error"}
