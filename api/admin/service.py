"""What administrators may do to accounts. Knows no HTTP, never commits.

Each act holds the lock on who is an administrator before it holds anybody, so that two of them
cannot remove each other, and what an administrator may do is asked again behind that lock.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from sqlalchemy.orm import Session

from api.audit import service as audit
from api.errors import Conflict, Forbidden
from api.infra import recent
from api.infra.actor import Actor, Role
from api.infra.db import on_commit
from api.models import User
from api.users import service as users
from api.users.service import LastAdmin


class OnOneself(Conflict):
    """Nobody locks themselves out by a slip; that it was tried is on record."""

    message = "Another administrator has to do this."
    keeps_writes = True


class LastAdminStays(LastAdmin):
    keeps_writes = True


def block(
    session: Session, actor: Actor, *, user_id: UUID, reason: str, deny: Callable[[UUID], None]
) -> User:
    """End every session of the person, who can neither log in nor write any more.

    Blocking somebody who is blocked changes nothing. Raises ``UserNotFound``, ``Forbidden``,
    ``OnOneself`` or ``LastAdminStays``.
    """
    user = _held(session, actor, user_id, refuse_self=True)
    if user.status == "blocked":
        return user
    user.status = "blocked"
    for session_id in users.end_sessions(session, user_id=user.id):
        on_commit(session, lambda ended=session_id: deny(ended))  # type: ignore[misc]
    audit.record(
        session, actor, "authz_admin", target=("user", user.id), event="block", reason=reason
    )
    return _stored(session, user)


def unblock(session: Session, actor: Actor, *, user_id: UUID) -> User:
    """Let the person log in again; no old session comes back. Raises ``UserNotFound`` or ``Forbidden``."""
    user = _held(session, actor, user_id, refuse_self=False)
    if user.status == "active":
        return user
    user.status = "active"
    audit.record(session, actor, "authz_admin", target=("user", user.id), event="unblock")
    return _stored(session, user)


def change_role(session: Session, actor: Actor, *, user_id: UUID, role: Role) -> User:
    """It counts from the next request on. Raises as ``block`` does."""
    user = _held(session, actor, user_id, refuse_self=role != "admin")
    if user.role == role:
        return user
    was, user.role = user.role, role
    target = ("user", user.id)
    audit.record(session, actor, "authz_change", target=target, **{"from": was, "to": role})
    return _stored(session, user)


def _held(session: Session, actor: Actor, user_id: UUID, *, refuse_self: bool) -> User:
    """The person, locked until the transaction ends, if the actor is an administrator still."""
    admins = users.lock_admins(session)
    if actor.user_id not in admins:
        raise Forbidden()
    if refuse_self and user_id == actor.user_id:
        audit.record(session, actor, "authz_fail", target=("user", user_id))
        raise LastAdminStays() if admins == {user_id} else OnOneself()
    return users.hold(session, user_id=user_id)


def _stored(session: Session, user: User) -> User:
    recent.forget(session, user.id)
    session.flush()
    session.refresh(user)
    return user
