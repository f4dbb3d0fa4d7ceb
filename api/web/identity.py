"""Who is calling: the token was verified on the event loop, its session and person are loaded here.

An API key is found here as well, before anything is charged: only then it is known who pays.
"""

from __future__ import annotations

from datetime import timedelta
from typing import cast
from uuid import UUID

from sqlalchemy import func, select, true, update
from sqlalchemy.orm import Session

from api.errors import Forbidden, KeyInvalid, TokenInvalid, Unauthorized
from api.infra import api_keys
from api.infra.actor import Actor, Role, anonymous
from api.infra.denylist import DenyList
from api.infra.tokens import AccessClaims
from api.models import ApiKey, LoginSession, User
from api.web import context
from api.web.context import KeyClaims, RequestContext
from api.web.contract import Policy

SCOPES = frozenset({"read", "write"})
"""Of whoever has logged in."""
STAMPED_EVERY = timedelta(minutes=1)


def authenticate(
    session: Session, request: RequestContext, denied: DenyList, *, hold: bool
) -> Actor:
    """The caller. Raises ``TokenInvalid`` when the token outlived its session or its person.

    *hold*: nobody can end the session or block the person before this transaction ends.
    """
    if request.key:
        return _by_key(session, request, request.key, hold=hold)
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


def require(actor: Actor, policy: Policy) -> None:
    """Raises ``Unauthorized`` or ``Forbidden`` for anyone of a lower role or without the scope."""
    if not actor.has_role(policy.role):
        raise Unauthorized() if actor.user_id is None else Forbidden()
    if actor.user_id and policy.scope and policy.scope not in actor.scopes:
        raise Forbidden()


def recognise(session: Session, request: RequestContext) -> None:
    """Find out whose API key was sent, if one was. Raises ``KeyInvalid``."""
    if request.api_key is None:
        return
    is_new = func.coalesce(ApiKey.last_used_at < func.now() - STAMPED_EVERY, true())
    found = session.execute(
        select(ApiKey.id, ApiKey.user_id, User.role, ApiKey.scopes, is_new)
        .join(User, User.id == ApiKey.user_id)
        .where(
            ApiKey.key_hash == api_keys.digest(request.api_key),
            ApiKey.is_alive(),
            User.status == "active",
        )
    ).one_or_none()
    if found is None:
        raise KeyInvalid()
    key_id, user_id, role, scopes, is_new_use = found
    request.key = KeyClaims(key_id, user_id, cast(Role, role), frozenset(scopes), is_new_use)


def note_use(session: Session, key_id: UUID) -> None:
    """That the key was used; somebody else may be doing so just now."""
    free = select(ApiKey.id).where(ApiKey.id == key_id).with_for_update(skip_locked=True)
    statement = update(ApiKey).where(ApiKey.id.in_(free)).values(last_used_at=func.now())
    session.execute(statement.execution_options(synchronize_session=False))


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


def _by_key(session: Session, request: RequestContext, key: KeyClaims, *, hold: bool) -> Actor:
    """*hold*: as the session of a token, whoever deletes it or blocks the person waits."""
    if hold:
        statement = select(User.role).join(ApiKey, ApiKey.user_id == User.id)
        alive = (ApiKey.id == key.key_id, ApiKey.is_alive(), User.status == "active")
        statement = statement.where(*alive).with_for_update(of=ApiKey, key_share=True)
        role = cast(Role | None, session.scalar(statement))
        if role is None:
            raise KeyInvalid()
    else:
        role = key.role
    return Actor(
        user_id=key.user_id,
        role=role,
        session_id=None,
        scopes=key.scopes,
        ip=request.ip,
        request_id=request.request_id,
    )
