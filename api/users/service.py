"""What may happen to an account. Knows no HTTP, never commits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from api.audit import service as audit
from api.errors import Conflict, TokenInvalid
from api.infra import db_errors, passwords
from api.infra.actor import Actor, Role
from api.models import User
from api.models.user import UNIQUE_EMAIL, UNIQUE_USERNAME
from api.users import queries

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
    return _there(queries.by_id(session, actor.person))


def update_me(session: Session, actor: Actor, *, changes: Mapping[str, Any]) -> User:
    """Set ``username`` or ``bio``; what is not named stays. Raises ``UsernameTaken``."""
    user = _there(queries.hold(session, actor.person))
    for name, value in changes.items():
        setattr(user, name, value)
    _flush(session)
    session.refresh(user)
    return user


def delete_me(session: Session, actor: Actor) -> None:
    """Remove the account with its posts and sessions. Raises ``LastAdmin``."""
    admins = queries.lock_active_admins(session)
    user = _there(queries.hold(session, actor.person))
    if admins == {user.id}:
        raise LastAdmin()
    session.delete(user)
    audit.record(session, actor, "user_deleted", target=("user", user.id))


def _there(user: User | None) -> User:
    if user is None:
        raise TokenInvalid()
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
