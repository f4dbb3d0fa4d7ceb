"""What is known of the request under way, in the ASGI part and in Flask's threads alike."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, cast

from api.infra.actor import Actor
from api.infra.tokens import AccessClaims
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


@dataclass(slots=True)
class RequestContext:
    request_id: str
    trace_id: str
    ip: str
    operation: Operation | None = None
    body: Any = NO_BODY
    """The parsed JSON body, if one was sent."""
    claims: AccessClaims | None = None
    """What a verified access token says; its session may have ended since."""
    actor: Actor | None = None
    """Set once the session was found alive."""
    buckets: list[Bucket] = field(default_factory=list)
    """Filled when the request was charged to its rate limits, whichever part did it."""


_current: ContextVar[RequestContext] = ContextVar("request")


def current() -> RequestContext:
    return _current.get()


def operation() -> Operation:
    """What the request under way is for; known to everything behind the routes."""
    return cast(Operation, current().operation)


def enter(context: RequestContext) -> None:
    """Each request runs in a context of its own, so nothing has to be undone."""
    _current.set(context)
