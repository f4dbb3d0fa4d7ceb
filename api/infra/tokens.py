"""Access tokens: signed by Flask-JWT-Extended, verified by the PyJWT beneath it.

Verification runs on the event loop for every request, where there is no Flask context; it demands
every claim and one canonical spelling, which Flask-JWT-Extended does not (see docs/adr).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import jwt
from flask import Flask
from flask_jwt_extended import JWTManager, create_access_token

from api.config import Settings
from api.errors import TokenExpired, TokenInvalid

ALGORITHM = "HS256"
AUDIENCE = "madang-api"
TYP = "at+jwt"
LIFETIME = 15 * 60
"""Seconds."""
LEEWAY = 10
"""Seconds that clocks of different hosts may differ."""
LONGEST = 2048
MOST_KNOWN = 4096
"""Tokens whose signature one process remembers, some 4 MB."""
CLAIMS = {"iss", "aud", "sub", "sid", "jti", "type", "iat", "nbf", "exp"}


@dataclass(frozen=True, slots=True)
class AccessClaims:
    user_id: UUID
    session_id: UUID


class AccessTokens:
    """Issues and verifies. Two keys may be valid at a time; ``kid`` says which one signed."""

    def __init__(self, app: Flask, settings: Settings) -> None:
        self._keys = {_key_id(key): key for key in settings.signing_keys}
        self._current = _key_id(settings.jwt_secret_key)
        self._issuer = settings.public_url
        self._known: dict[str, tuple[AccessClaims, float]] = {}
        """What was verified, and until when it holds: a signature that was right stays right."""
        app.config.update(
            JWT_SECRET_KEY=settings.jwt_secret_key,
            JWT_ALGORITHM=ALGORITHM,
            JWT_ACCESS_TOKEN_EXPIRES=timedelta(seconds=LIFETIME),
            JWT_ENCODE_ISSUER=self._issuer,
            JWT_ENCODE_AUDIENCE=AUDIENCE,
            JWT_TOKEN_LOCATION=["headers"],
            JWT_COOKIE_CSRF_PROTECT=False,  # else every token carries a claim for cookies we do not use
        )
        JWTManager(app)

    def issue(self, user_id: UUID, session_id: UUID) -> str:
        """A token for 15 minutes. Needs an application context."""
        token: str = create_access_token(
            identity=str(user_id),
            additional_claims={"sid": str(session_id)},
            additional_headers={"kid": self._current, "typ": TYP},
        )
        return token

    def verify(self, token: str) -> AccessClaims:
        """Who the bearer is. No I/O. Raises ``TokenExpired``, or ``TokenInvalid`` for all else."""
        claims, ends = self._known.get(token, (None, 0.0))
        if claims and time.time() < ends:
            return claims
        claims, ends = self._verify(token)
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known[token] = (claims, ends)
        return claims

    def _verify(self, token: str) -> tuple[AccessClaims, float]:
        """And until when (seconds since 1970)."""
        try:
            if len(token) > LONGEST or not _is_canonical(token):
                raise TokenInvalid()
            claims = jwt.decode(
                token,
                self._key_for(jwt.get_unverified_header(token)),
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                issuer=self._issuer,
                leeway=LEEWAY,
                options={"require": sorted(CLAIMS)},
            )
            return _typed(claims), claims["exp"] + LEEWAY
        except jwt.ExpiredSignatureError as err:
            raise TokenExpired() from err
        except (jwt.InvalidTokenError, ValueError, OverflowError) as err:
            raise TokenInvalid() from err

    def _key_for(self, header: dict[str, Any]) -> str:
        """Only our own header: no ``jku``, ``jwk``, ``x5u``, ``crit``, and a ``kid`` of ours."""
        if header.keys() != {"alg", "kid", "typ"} or header["typ"] != TYP:
            raise TokenInvalid()
        key = self._keys.get(str(header["kid"]))
        if key is None:
            raise TokenInvalid()
        return key


def _key_id(key: str) -> str:
    return hmac.new(key.encode(), b"key id", hashlib.sha256).hexdigest()[:16]


def _is_canonical(token: str) -> bool:
    """One token has one spelling: no padding, no spare bits in the last character."""
    try:
        return all(_recoded(part) == part for part in token.encode("ascii").split(b"."))
    except (UnicodeEncodeError, binascii.Error):
        return False


def _recoded(part: bytes) -> bytes:
    raw = base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4))
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def _typed(claims: dict[str, Any]) -> AccessClaims:
    times = (claims["iat"], claims["nbf"], claims["exp"])
    texts = (claims["sub"], claims["sid"], claims["jti"])
    if not all(type(time) is int for time in times) or not all(type(t) is str for t in texts):
        raise TokenInvalid()
    if claims["type"] != "access" or claims["aud"] != AUDIENCE:
        raise TokenInvalid()
    return AccessClaims(UUID(claims["sub"]), UUID(claims["sid"]))
