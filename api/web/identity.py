"""Who is calling: the token was verified on the event loop, its session and person are loaded here.

An API key is found here as well, before anything is charged: only then it is known who pays.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Select, bindparam, func, select, true, update
from sqlalchemy.orm import Session

from api.errors import Forbidden, KeyInvalid, TokenInvalid, Unauthorized
from api.infra import api_keys, recent
from api.infra.actor import Actor, Role, anonymous
from api.infra.db import core
from api.infra.db_prepared import prepared
from api.infra.tokens import AccessClaims
from api.models import ApiKey, LoginSession, User
from api.web import context
from api.web.context import KeyClaims, RequestContext
from api.web.contract import Policy
from api.web.runtime import Runtime

SCOPES = frozenset({"read", "write"})
"""Of whoever has logged in."""
STAMPED_EVERY = timedelta(minutes=1)


def authenticate(
    session: Session, request: RequestContext, runtime: Runtime, *, hold: bool
) -> Actor:
    """The caller. Raises ``TokenInvalid`` when the token outlived its session or its person.

    *hold*: nobody can end the session or block the person before this transaction ends.
    """
    if request.key:
        return _by_key(session, request, request.key, hold=hold)
    if request.claims is None:
        return anonymous(request.ip, request.request_id)
    return Actor(
        user_id=request.claims.user_id,
        role=_found(session, request.claims, runtime, hold=hold),
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
    keys = _living_keys(ApiKey.id, ApiKey.user_id, ApiKey.scopes, is_new)
    sent = ApiKey.key_hash == api_keys.digest(request.api_key)
    found = session.execute(keys.where(sent)).one_or_none()
    if found is None:
        raise KeyInvalid()
    key_id, user_id, scopes, is_new_use = found
    request.key = KeyClaims(key_id, user_id, frozenset(scopes), is_new_use)


def note_use(session: Session, key_id: UUID) -> None:
    """That the key was used; somebody else may be doing so just now."""
    free = select(ApiKey.id).where(ApiKey.id == key_id).with_for_update(skip_locked=True)
    statement = update(ApiKey).where(ApiKey.id.in_(free)).values(last_used_at=func.now())
    session.execute(statement.execution_options(synchronize_session=False))


def current_actor() -> Actor:
    """For handlers; the policy wrapper has set it."""
    return cast(Actor, context.current().actor)


def _found(session: Session, claims: AccessClaims, runtime: Runtime, *, hold: bool) -> Role:
    """Who only reads may have been found a moment ago."""
    session_id, user_id = claims.session_id, claims.user_id
    if not hold and (role := runtime.recent.role(session_id, user_id)):
        return role
    mark = recent.word(user_id)
    if not hold and session_id in runtime.denied:  # who is held is asked for in any case
        raise TokenInvalid()
    role = _role(session, claims, hold=hold)
    runtime.recent.keep(session_id, user_id, role, mark)
    return role


# Put together once: each request that is logged in needs them.
_HOLD = prepared(
    select(LoginSession.id)
    .where(LoginSession.id == bindparam("login"))
    .with_for_update(key_share=True)
)
_ROLE = prepared(
    select(User.role)
    .join(LoginSession, LoginSession.user_id == User.id)
    .where(
        LoginSession.id == bindparam("login"),
        LoginSession.is_alive(),
        User.id == bindparam("person"),
        User.status == "active",
    )
)


def _role(session: Session, claims: AccessClaims, *, hold: bool) -> Role:
    """The session row is the authority, also when Redis is empty. *hold*: it stays as it is.

    Not the person's row: what they write counts in it, and they may write twice at once. A statement of its
    own, since the one that waited for a lock still sees everything else as it was before.
    """
    if hold:
        core(session).execute(_HOLD, {"login": claims.session_id})
    asked = {"login": claims.session_id, "person": claims.user_id}
    role = core(session).execute(_ROLE, asked).scalar_one_or_none()
    if role is None:
        raise TokenInvalid()
    return cast(Role, role)


def _by_key(session: Session, request: RequestContext, key: KeyClaims, *, hold: bool) -> Actor:
    """With the role of everybody: programs neither administer nor moderate. *hold*: as of a session."""
    if hold:
        lock = select(ApiKey.id).where(ApiKey.id == key.key_id)
        session.execute(lock.with_for_update(key_share=True))
        if session.scalar(_living_keys(ApiKey.id).where(ApiKey.id == key.key_id)) is None:
            raise KeyInvalid()
    return Actor(
        user_id=key.user_id,
        role="user",
        session_id=None,
        scopes=key.scopes,
        ip=request.ip,
        request_id=request.request_id,
    )


def _living_keys(*columns: Any) -> Select[Any]:
    """That have not expired, and whose person is not blocked."""
    active = select(*columns).join(User, User.id == ApiKey.user_id)
    return active.where(ApiKey.is_alive(), User.status == "active")
