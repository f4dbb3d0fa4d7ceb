"""What does not belong to any framework: one token, one hash, one way to write a moment."""

from __future__ import annotations

import base64
import json
import os
import secrets
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import jwt
from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

DATABASE_URL = os.environ["DATABASE_URL"]
CONNECTIONS = 10
"""In the pool of each process, as Madang has."""
OTHER_PATHS: list[str] = json.loads(os.environ["OTHER_PATHS"])
"""So that each has as many routes as Madang; nobody asks for them."""
LAST_PAGE = 100
TITLE, BODY = 200, 20_000
"""Characters at most."""

_KEY, _ISSUER, _AUDIENCE = os.environ["JWT_SECRET_KEY"], os.environ["PUBLIC_URL"], "madang-api"
_HASHER = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)


def session_of(authorization: str) -> UUID:
    """Raises ``jwt.InvalidTokenError``."""
    token = authorization.removeprefix("Bearer ")
    claims = jwt.decode(token, _KEY, algorithms=["HS256"], audience=_AUDIENCE, issuer=_ISSUER)
    return UUID(claims["sid"])


def token_for(user_id: UUID, session_id: UUID) -> str:
    now = datetime.now(UTC)
    claims = {"iss": _ISSUER, "aud": _AUDIENCE, "sub": str(user_id), "sid": str(session_id)}
    times = {"iat": now, "nbf": now, "exp": now + timedelta(minutes=15)}
    kind = {"jti": str(uuid.uuid4()), "type": "access"}
    return jwt.encode(claims | times | kind, _KEY, algorithm="HS256")


def refresh_token() -> bytes:
    """As it is stored."""
    return secrets.token_bytes(32)


def fits(known: str, given: str) -> bool:
    try:
        return _HASHER.verify(known, given)
    except VerifyMismatchError:
        return False


def uuid7() -> UUID:
    """RFC 9562."""
    milliseconds = int(datetime.now(UTC).timestamp() * 1000)
    number = (
        milliseconds << 80 | 7 << 76 | secrets.randbits(12) << 64 | 2 << 62 | secrets.randbits(62)
    )
    return UUID(int=number)


def shard() -> int:
    """One of those that the number of posts is kept in."""
    return secrets.randbelow(16)


def moment(at: datetime | None) -> str | None:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ") if at else None


def read_cursor(cursor: str) -> tuple[datetime, UUID]:
    at, last = json.loads(base64.urlsafe_b64decode(cursor))
    return datetime.fromisoformat(at), UUID(last)


def links(page: int, size: int, cursor: str | None, last: Any) -> dict[str, str | None]:
    """``next`` and ``prev``; *last*: the last post of this part if there are more."""
    if cursor is None:
        return {
            "next": _numbered(page + 1, size) if last and page < LAST_PAGE else None,
            "prev": _numbered(page - 1, size) if page > 1 else None,
        }
    if last is None:
        return {"next": None, "prev": None}
    key = json.dumps([last.published_at.isoformat(), str(last.id)]).encode()
    return {
        "next": f"/api/v1/posts?cursor={base64.urlsafe_b64encode(key).decode()}&size={size}",
        "prev": None,
    }


def _numbered(page: int, size: int) -> str:
    return f"/api/v1/posts?page={page}&size={size}"
