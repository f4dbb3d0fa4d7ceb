"""What may happen to an account. Knows no HTTP, never commits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from api.audit import service as audit
from api.errors import Conflict, Forbidden, NotFound, TokenInvalid
from api.infra import db_errors, passwords, recent, versions
from api.infra.actor import Actor, Role
from api.infra.cache import POSTS, forget, profile
from api.infra.paging import Part, Window
from api.infra.versions import Seen
from api.models import User
from api.models.user import UNIQUE_EMAIL, UNIQUE_USERNAME
from api.posts import service as posts
from api.users import policy, queries

NOT_YET = "!"
"""Stands for a password hash within one transaction; no password belongs to it."""


class EmailTaken(Conflict):
    code = "EMAIL_TAKEN"
    message = "There is an account with this e-mail address."


class UsernameTaken(Conflict):
    code = "USERNAME_TAKEN"
    message = "Somebody else has this username."


class PasswordTooCommon(Conflict):
    """A conflict, not a fault of the request: no schema can list the passwords (see docs/adr)."""

    code = "PASSWORD_TOO_COMMON"
    message = "Too many people use this password. Choose another one."


class LastAdmin(Conflict):
    code = "LAST_ADMIN"
    message = "The last administrator cannot go."


class UserNotFound(NotFound):
    message = "There is no such person."


def create(
    session: Session,
    actor: Actor,
    *,
    email: str,
    username: str,
    password: str,
    role: Role = "user",
) -> User:
    """A new account. Raises ``PasswordTooCommon``, ``EmailTaken`` or ``UsernameTaken``."""
    if passwords.is_common(password):
        raise PasswordTooCommon({"password": "is too common"})
    user = User(email=email, username=username, password_hash=NOT_YET, role=role)
    session.add(user)
    _flush(session)  # first, so that a name that is taken costs no hash
    user.password_hash = passwords.hash_password(password)
    audit.record(session, actor, "user_created", target=("user", user.id), role=role)
    return user


def myself(session: Session, actor: Actor) -> User:
    """The account of the caller. Raises ``TokenInvalid`` when it went in this very moment."""
    user = queries.by_id(session, actor.person)
    if user is None:
        raise TokenInvalid()
    return user


def get(session: Session, *, user_id: UUID) -> User:
    """Raises ``UserNotFound``. Blocked people stay readable."""
    return _known(queries.by_id(session, user_id))


def by_email(session: Session, email: str, *, hold: bool = False) -> User | None:
    """Without regard to case. *hold*: nobody changes or deletes the person until we are done."""
    return queries.by_email(session, email, hold=hold)


def any_admin(session: Session) -> bool:
    return queries.any_admin(session)


def listed(session: Session, *, prefix: str, window: Window) -> Part[User]:
    """People whose username begins so, in its order."""
    return queries.by_prefix(session, prefix, window)


def matching(session: Session, *, window: Window, **filters: Any) -> Part[User]:
    """The newest first; the filters are the fields of ``queries.Filter``."""
    return queries.newest(session, queries.Filter(**filters), window)


def update(
    session: Session,
    actor: Actor,
    *,
    user_id: UUID,
    changes: Mapping[str, Any],
    seen: Seen = None,
) -> User:
    """Set ``username`` or ``bio``; what is not named stays.

    Raises ``UserNotFound``, ``Forbidden``, ``PreconditionFailed`` or ``UsernameTaken``.
    """
    user = _managed(session, actor, user_id)
    versions.require(user, seen)
    was = user.username
    for name, value in changes.items():
        setattr(user, name, value)
    _flush(session)
    session.refresh(user)
    forget(session, profile(user.id))
    if user.username != was:  # which stands beside each post
        forget(session, POSTS)
    if user.id != actor.user_id:
        names = sorted(changes)
        audit.record(session, actor, "user_updated", target=("user", user.id), fields=names)
    return user


def delete(session: Session, actor: Actor, *, user_id: UUID, seen: Seen = None) -> None:
    """Remove the account with its posts and sessions; its comments lose their author.

    Raises ``UserNotFound``, ``Forbidden``, ``PreconditionFailed`` or ``LastAdmin``.
    """
    if not policy.may_manage(actor, user_id):
        get(session, user_id=user_id)
        raise Forbidden()
    # In one order with whoever blocks, demotes or deletes, so that nobody waits in a circle.
    admins = lock_admins(session)
    alive = queries.hold_sessions(session, user_id)
    if user_id == actor.user_id:
        if actor.session_id not in alive:
            raise TokenInvalid()
    elif actor.user_id not in admins:
        raise Forbidden()
    posts.hold_all(session, author_id=user_id)
    user = _known(queries.hold(session, user_id))
    versions.require(user, seen)
    if admins == {user.id}:
        raise LastAdmin()
    remove(session, user)
    audit.record(session, actor, "user_deleted", target=("user", user.id))


def remove(session: Session, user: User) -> None:
    """With all that hangs on the account, whoever asks for it."""
    posts.lose_author(session, author=user)
    queries.forget_answers(session, user.id)
    session.delete(user)
    forget(session, profile(user.id))
    recent.forget(session, user.id)


def lock_admins(session: Session) -> set[UUID]:
    """The ids of all active administrators, who stay as many until the transaction ends."""
    return queries.lock_admins(session)


def hold(session: Session, *, user_id: UUID) -> User:
    """Locked until the transaction ends, when all that the person was writing is done.

    Raises ``UserNotFound``.
    """
    queries.hold_sessions(session, user_id)
    return _known(queries.hold(session, user_id))


def end_sessions(session: Session, *, user_id: UUID) -> Sequence[UUID]:
    """Because the person is blocked. Returns the sessions that were alive."""
    return queries.end_sessions(session, user_id)


def _managed(session: Session, actor: Actor, user_id: UUID) -> User:
    """Locked until the transaction ends."""
    user = queries.hold(session, user_id)
    if user is None and user_id == actor.user_id:
        raise TokenInvalid()  # who asks went in this very moment
    found = _known(user)
    if not policy.may_manage(actor, found.id):
        raise Forbidden()
    return found


def _known(user: User | None) -> User:
    if user is None:
        raise UserNotFound()
    return user


def _flush(session: Session) -> None:
    """The database decides who has a name first. After a refusal the transaction is over."""
    try:
        session.flush()
    except IntegrityError as err:
        constraint = db_errors.violated(err)
        if constraint == UNIQUE_EMAIL.name:
            raise EmailTaken({"email": "is taken"}) from err
        if constraint == UNIQUE_USERNAME:
            raise UsernameTaken({"username": "is taken"}) from err
        raise
