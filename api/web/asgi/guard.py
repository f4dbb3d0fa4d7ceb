"""What no schema can see: the bytes of a request. Refuses what Connexion would accept or die of."""

from __future__ import annotations

import asyncio
import json
import math
import re
from typing import Any
from urllib.parse import unquote_to_bytes

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import DomainError, InvalidInput, PayloadTooLarge, UnsupportedMediaType
from api.web import context
from api.web.asgi.headers import first

LARGEST_BODY = 64 * 1024
PATIENCE = 8.0
"""Seconds for a body to arrive."""
DEEPEST = 20
MOST_DIGITS = 19
SINGLE = (
    *(b"authorization", b"content-length", b"content-type", b"host", b"idempotency-key", b"origin"),
    *(b"x-api-key", b"x-request-id"),
)
"""Headers that mean something else to somebody else when they come twice."""
DESCRIBING = (b"content-type", b"content-length", b"transfer-encoding", b"host", b"upgrade")
ANNOUNCING = (b"content-length", b"transfer-encoding")
TOKENS = re.compile(r'"(?:[^"\\]|\\.?)*+"?|[\[{]|[\]}]', re.DOTALL)
"""Strings, so that brackets in them do not count, and brackets. A string that never ends matches as
well: if it could fail, each quote in it would be tried anew, which takes seconds for 64 KiB."""
LONGEST_LENGTH = 10
"""Leading digits of a Content-Length worth reading; Python refuses to convert thousands of them."""


class Guard:
    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        _check_headers(scope)
        _check_target(scope)
        is_expected = context.operation().body is not None
        # HTTP/1.1 announces a body (RFC 9112, 6.3). Without one there is nothing to wait for, and a limit costs time.
        read = _in_time if is_expected or _is_announced(scope) else _read
        raw = await read(scope, receive, is_expected=is_expected)
        if raw:
            _check_media_type(scope)
            context.current().body = parse(raw)
        scope = {**scope, "headers": _plain(scope["headers"], raw)}
        await self.app(scope, _replay(raw, receive), send)


def parse(raw: bytes) -> Any:
    """The JSON value. Raises ``InvalidInput`` for what is not I-JSON (RFC 7493) or beyond bounds."""
    try:
        text = raw.decode("utf-8")
        _check_depth(text)
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_float,
            parse_constant=_constant,
        )
    except ValueError as err:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise InvalidInput({"body": "is not valid JSON in UTF-8"}) from err
    _check_text(value)
    return value


def _check_headers(scope: Scope) -> None:
    names = [name for name, _ in scope["headers"]]
    if len(set(names)) == len(names):
        return
    if repeated := [name.decode() for name in SINGLE if names.count(name) > 1]:
        raise InvalidInput(dict.fromkeys(repeated, "is given more than once"))


def _check_target(scope: Scope) -> None:
    """The path and the query must be percent-encoded UTF-8 without NUL."""
    target = scope.get("raw_path", b"") + b"?" + scope["query_string"]
    try:
        target.decode("ascii")
        text = unquote_to_bytes(target).decode("utf-8")
    except UnicodeDecodeError as err:
        raise InvalidInput({"url": "is not percent-encoded UTF-8"}) from err
    if "\0" in text:
        raise InvalidInput({"url": "must not contain NUL"})


def _is_announced(scope: Scope) -> bool:
    return any(name in ANNOUNCING for name, _ in scope["headers"])


async def _in_time(scope: Scope, receive: Receive, *, is_expected: bool) -> bytes:
    try:
        async with asyncio.timeout(PATIENCE):
            return await _read(scope, receive, is_expected=is_expected)
    except TimeoutError as err:
        raise InvalidInput({"body": "is incomplete"}) from err


async def _read(scope: Scope, receive: Receive, *, is_expected: bool) -> bytes:
    """The whole body. Raises as soon as it is too large, or as there is one that nobody expects."""
    length = first(scope, b"content-length") or "0"
    if length.isascii() and length.isdigit():
        _check_size(int(length[:LONGEST_LENGTH]), is_expected)
    chunks, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            # The client left, and hears nothing.
            raise InvalidInput({"body": "is incomplete"})
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        _check_size(size, is_expected)
        more = message.get("more_body", False)
    return b"".join(chunks)


def _check_size(size: int, is_expected: bool) -> None:
    if size and not is_expected:
        raise InvalidInput({"body": "is not expected here"})
    if size > LARGEST_BODY:
        raise PayloadTooLarge()


def _check_media_type(scope: Scope) -> None:
    media_type, *parameters = (first(scope, b"content-type") or "").split(";")
    if media_type.strip().lower() != "application/json":
        raise UnsupportedMediaType()
    for parameter in parameters:
        name, _, value = parameter.strip().partition("=")
        if name.strip().lower() == "charset" and value.strip(' "').lower() not in ("utf-8", "utf8"):
            raise UnsupportedMediaType()
    if (first(scope, b"content-encoding") or "identity").lower() != "identity":
        raise UnsupportedMediaType()


def _plain(headers: list[tuple[bytes, bytes]], raw: bytes) -> list[tuple[bytes, bytes]]:
    """What the inner layers need to hear of the body that was read here.

    Connexion looks validators up by the exact spelling of the media type, skips validation without
    one, and dies of another one where a body is due and none came; Flask reads nothing without a length.
    Nothing inside reads the host or an upgrade, and werkzeug dies of a host that is no name.
    """
    others = [(name, value) for name, value in headers if name not in DESCRIBING]
    length = str(len(raw)).encode()
    return [*others, (b"content-type", b"application/json"), (b"content-length", length)]


def _check_depth(text: str) -> None:
    depth = 0
    for match in TOKENS.finditer(text):
        if match[0] in "[{":
            depth += 1
            if depth > DEEPEST:
                raise InvalidInput({"body": f"is nested deeper than {DEEPEST} levels"})
        elif match[0] in "]}":
            depth -= 1


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise InvalidInput({"body": "has a key more than once"})
    return found


def _integer(digits: str) -> int:
    if len(digits.lstrip("-")) > MOST_DIGITS:
        raise _too_long()
    return int(digits)


def _float(digits: str) -> float:
    value = float(digits)
    if sum(map(str.isdigit, digits)) > MOST_DIGITS or math.isinf(value):
        raise _too_long()
    return value


def _constant(_: str) -> Any:
    raise InvalidInput({"body": "NaN and Infinity are not JSON"})


def _too_long() -> DomainError:
    return InvalidInput({"body": f"has a number of more than {MOST_DIGITS} digits"})


def _check_text(value: Any) -> None:
    """No NUL and no lone surrogate in any key or string, neither of which PostgreSQL can store."""
    if isinstance(value, str):
        try:
            value.encode("utf-8")
        except UnicodeEncodeError as err:
            raise InvalidInput({"body": "has a lone surrogate"}) from err
        if "\0" in value:
            raise InvalidInput({"body": "has a NUL character"})
    elif isinstance(value, list):
        for child in value:
            _check_text(child)
    elif isinstance(value, dict):
        for key, child in value.items():
            _check_text(key)
            _check_text(child)


def _replay(raw: bytes, receive: Receive) -> Receive:
    """The body in one piece, then whatever the connection says next."""
    sent = False

    async def replay() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": raw, "more_body": False}

    return replay
