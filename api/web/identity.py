"""Who is calling: the token was verified on the event loop, its session and person are loaded here."""

from __future__ import annotations

from typing import cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from api.errors import Forbidden, TokenInvalid, Unauthorized
from api.infra.actor import Actor, Role, anonymous
from api.infra.denylist import DenyList
from api.infra.tokens import AccessClaims
from api.models import LoginSession, User
from api.web import context
from api.web.context import RequestContext

SCOPES = frozenset({"read", "write"})


def authenticate(
    session: Session, request: RequestContext, denied: DenyList, *, hold: bool
) -> Actor:
    """The caller. Raises ``TokenInvalid`` when the token outlived its session or its person.

    *hold*: nobody can end the session or block the person before this transaction ends.
    """
    if request.claims is None:
        return anonymous(request.ip, request.request_id)
    if request.claims.session_id in denied:
        raise TokenInvalid()
    return Actor(
        user_id=request.claims.user_id,
        role=_role(session, request.claims, hold=hold),
        session_id=request.claims.session_id,
        scopes=SCOPES,
        ip=request.ip,
        request_id=request.request_id,
    )


def require(actor: Actor, role: str) -> None:
    """Raises ``Unauthorized`` or ``Forbidden`` for anyone of a lower role."""
    if actor.has_role(role):
        return
    raise Unauthorized() if actor.user_id is None else Forbidden()


def current_actor() -> Actor:
    """For handlers; the policy wrapper has set it."""
    return cast(Actor, context.current().actor)


def _role(session: Session, claims: AccessClaims, *, hold: bool) -> Role:
    """One indexed statement: the session row is the authority, also when Redis is empty."""
    statement = (
        select(User.role)
        .join(LoginSession, LoginSession.user_id == User.id)
        .where(
            LoginSession.id == claims.session_id,
            LoginSession.is_alive(),
            User.id == claims.user_id,
            User.status == "active",
        )
    )
    if hold:
        # Not the person's row: what they write counts in it, and they may write twice at once.
        statement = statement.with_for_update(of=LoginSession, key_share=True)
    role = session.scalar(statement)
    if role is None:
        raise TokenInvalid()
    return cast(Role, role)
