"""Expected failures, named after the rule that was broken. Pure Python: no framework here.

A class stands beside its rule; those that belong to no resource stand here. Each code is one of
``ErrorCode`` in the contract, which explains it to clients.
"""

from __future__ import annotations

import random
from http import HTTPStatus
from typing import ClassVar


class DomainError(Exception):
    """An outcome the client can act on; anything else is a bug and becomes a bare 500.

    ``details`` maps a field (dotted path) to what is wrong with it, never to what was sent.
    """

    status: ClassVar[HTTPStatus] = HTTPStatus.BAD_REQUEST
    code: ClassVar[str] = "INVALID_INPUT"
    message: ClassVar[str] = "The request does not follow the contract."
    keeps_writes: ClassVar[bool] = False
    """Whether what was written before the refusal stays (an audit row, a failed-login counter)."""

    def __init__(self, details: dict[str, str] | None = None) -> None:
        super().__init__(self.message)
        self.details = details or {}

    @property
    def headers(self) -> dict[str, str]:
        """What HTTP asks for beside the body."""
        return {}


class InvalidInput(DomainError):
    """Malformed, or not what the schema says."""


class Unauthorized(DomainError):
    status = HTTPStatus.UNAUTHORIZED
    code = "UNAUTHORIZED"
    message = "Log in to do this."
    challenge: ClassVar[str] = 'Bearer realm="madang"'

    @property
    def headers(self) -> dict[str, str]:
        return {"WWW-Authenticate": self.challenge}


class TokenInvalid(Unauthorized):
    """A token was sent and does not count: forged, revoked, or its person is gone."""

    message = "This token is not valid. Log in again."
    challenge = 'Bearer realm="madang", error="invalid_token"'


class KeyInvalid(Unauthorized):
    """Unknown, expired, deleted, beside a token, or where no API key is taken."""

    message = "This API key is not valid here."


class TokenExpired(TokenInvalid):
    code = "TOKEN_EXPIRED"
    message = "This token has expired. Refresh it or log in again."


class Forbidden(DomainError):
    status = HTTPStatus.FORBIDDEN
    code = "FORBIDDEN"
    message = "You may not do this."


class NotFound(DomainError):
    status = HTTPStatus.NOT_FOUND
    code = "NOT_FOUND"
    message = "There is nothing here."


class MethodNotAllowed(DomainError):
    status = HTTPStatus.METHOD_NOT_ALLOWED
    code = "METHOD_NOT_ALLOWED"
    message = "This path does not know this method."

    def __init__(self, allowed: str) -> None:
        super().__init__()
        self.allowed = allowed

    @property
    def headers(self) -> dict[str, str]:
        return {"Allow": self.allowed}


class NotAcceptable(DomainError):
    status = HTTPStatus.NOT_ACCEPTABLE
    code = "NOT_ACCEPTABLE"
    message = "The answer is of a media type that Accept excludes."


class Conflict(DomainError):
    """Something stands in the way that no schema can express."""

    status = HTTPStatus.CONFLICT
    code = "CONFLICT"
    message = "This conflicts with what is stored."


class PreconditionFailed(DomainError):
    status = HTTPStatus.PRECONDITION_FAILED
    code = "PRECONDITION_FAILED"
    message = "This was changed since. Read it again, then decide."


class PayloadTooLarge(DomainError):
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    code = "PAYLOAD_TOO_LARGE"
    message = "The body is larger than 64 KiB."


class UnsupportedMediaType(DomainError):
    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    code = "UNSUPPORTED_MEDIA_TYPE"
    message = "Send application/json in UTF-8, not compressed."


class _ComeBackLater(DomainError):
    def __init__(self, retry_after: int | None = None) -> None:
        """*retry_after*: seconds; else from 2 to 5, so that not all come back at once."""
        super().__init__()
        self.retry_after = retry_after or random.randint(2, 5)  # noqa: S311 - spreads, guards nothing

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(self.retry_after)}


class RateLimited(_ComeBackLater):
    status = HTTPStatus.TOO_MANY_REQUESTS
    code = "RATE_LIMITED"
    message = "Too many requests. Wait as long as Retry-After says."


class Unavailable(_ComeBackLater):
    """A dependency fails. Its subclasses tell which way."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "DB_UNAVAILABLE"
    message = "The database cannot be reached. Try again shortly."


class ReadOnly(Unavailable):
    code = "DB_READ_ONLY"
    message = "Nothing can be stored at the moment. Try again shortly."


class Overloaded(Unavailable):
    code = "OVERLOADED"
    message = "Too much to do at once. Try again shortly."


class TimedOut(Unavailable):
    code = "TIMEOUT"
    message = "This took too long and was given up. Try again shortly."
