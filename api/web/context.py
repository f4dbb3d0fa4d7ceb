"""What is known of the request under way, in the ASGI part and in Flask's threads alike."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import UUID

from api.infra.actor import Actor
from api.infra.tokens import AccessClaims
from api.infra.tracing import Span
from api.web.contract import Operation

NO_BODY: Any = object()


@dataclass(frozen=True, slots=True)
class Bucket:
    """How a rate limit stands after this request was charged to it."""

    name: str
    limit: int
    window: int
    """Seconds."""
    remaining: int
    resets_in: int
    """Seconds."""


@dataclass(frozen=True, slots=True)
class KeyClaims:
    """An API key as the database knew it when the request came."""

    key_id: UUID
    user_id: UUID
    scopes: frozenset[str]
    is_new: bool
    """Whether nobody has written down yet that it was used in this minute."""


@dataclass(slots=True)
class RequestContext:
    request_id: str
    span: Span
    ip: str
    operation: Operation | None = None
    body: Any = NO_BODY
    """The parsed JSON body, if one was sent."""
    arguments: dict[str, Any] = field(default_factory=dict)
    """What the handler is called with."""
    claims: AccessClaims | None = None
    """What a verified access token says; its session may have ended since."""
    api_key: str | None = None
    """As it was sent, well formed."""
    key: KeyClaims | None = None
    """What is known of the API key; it may have been deleted since."""
    actor: Actor | None = None
    """Set once the session was found alive."""
    buckets: list[Bucket] = field(default_factory=list)
    """Filled when the request was charged to its rate limits, whichever part did it."""
    group: str | None = None
    """Of kept answers (api/infra/cache.py), which this one is one of."""
    shown_once: tuple[str, ...] = ()
    """The fields of the answer that nobody is told again."""
    refusal: str | None = None
    """The code of the failure that is answered."""
    faults: int = 0
    """How many details it has."""

    @property
    def user_id(self) -> UUID | None:
        """Whom the credentials name; their session or key may have ended since."""
        named = self.claims or self.key
        return named.user_id if named else None


_current: ContextVar[RequestContext] = ContextVar("request")


def current() -> RequestContext:
    return _current.get()


def operation() -> Operation:
    """What the request under way is for; known to everything behind the routes."""
    return cast(Operation, current().operation)


def enter(context: RequestContext) -> None:
    """Each request runs in a context of its own, so nothing has to be undone."""
    _current.set(context)
