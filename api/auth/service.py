"""Logging in and staying logged in. Knows no HTTP, never commits."""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.orm import Session

from api.audit import service as audit
from api.auth import queries
from api.errors import Conflict, RateLimited, Unauthorized
from api.infra import passwords, recent
from api.infra.actor import Actor
from api.infra.db import on_commit
from api.models import LoginSession, User
from api.users import service as users

Deny = Callable[[UUID], None]
"""Tells other workers that a session ended, after the commit."""


class InvalidCredentials(Unauthorized):
    """One answer for an unknown person, a wrong password and a blocked person."""

    code = "INVALID_CREDENTIALS"
    message = "E-mail address or password is wrong."
    keeps_writes = True


class SessionOver(Unauthorized):
    message = "This session is over. Log in again."


class RefreshTokenReused(SessionOver):
    """An old token came back: it or its successor is in wrong hands, so the session ends."""

    keeps_writes = True


class RefreshInProgress(Conflict):
    code = "REFRESH_IN_PROGRESS"
    message = "Another request has just refreshed this session. Use its answer."


@dataclass(frozen=True, slots=True)
class LoggedIn:
    user: User
    session_id: UUID
    refresh_token: str


def log_in(session: Session, actor: Actor, *, email: str, password: str) -> LoggedIn:
    """Begin a session. Raises ``InvalidCredentials``, or ``RateLimited`` after five failures."""
    account = email.lower()
    attempt = queries.count_attempt(session, account)
    if attempt.number > queries.MOST_FAILURES:
        raise RateLimited(max(1, math.ceil(attempt.wait)))
    user = users.by_email(session, email, hold=True)
    matches = passwords.verify(user.password_hash if user else None, password)
    if user is None or not matches or user.status != "active":
        _note_failure(session, actor, user, attempt.number)
        raise InvalidCredentials()
    if passwords.is_outdated(user.password_hash):
        user.password_hash = passwords.hash_password(password)
        session.flush()
        session.refresh(user)
    _note_success(session, replace(actor, user_id=user.id), user, failures=attempt.number - 1)
    token = _new_token()
    return LoggedIn(user, queries.begin(session, user, account, token), token)


def refresh(session: Session, actor: Actor, *, token: str, deny: Deny) -> LoggedIn:
    """Replace a refresh token.

    Raises ``SessionOver``, ``RefreshInProgress`` for the token that was replaced a moment ago, and
    ``RefreshTokenReused`` for any older one.
    """
    found = _present(session, token)
    login = found.session
    if found.sequence == login.refresh_sequence:
        login.refresh_sequence += 1
        login.refreshed_at = func.now()
        new = _new_token()
        queries.add_refresh_token(session, login, new)
        session.flush()
        session.refresh(found.user)  # who waited for the session saw them as they were before
        return LoggedIn(found.user, login.id, new)
    if found.sequence == login.refresh_sequence - 1 and found.is_recent:
        raise RefreshInProgress()
    _end(session, login, "token_reuse", deny)
    audit.record(session, actor, "authn_token_reuse", target=("user", found.user.id))
    raise RefreshTokenReused()


def log_out(session: Session, actor: Actor, *, token: str, deny: Deny) -> None:
    """End the session of this token, current or old. Raises ``SessionOver``."""
    found = _present(session, token)
    _end(session, found.session, "logout", deny)
    audit.record(session, actor, "authn_token_revoked", target=("user", found.user.id))


def remove_dead_sessions(session: Session, most: int) -> int:
    """Remove up to so many that nothing can bring back to life; how many there were."""
    return queries.clean_everyones_sessions(session, most)


def remove_past_attempts(session: Session, most: int) -> int:
    """Remove up to so many counts of failed logins whose time is over; how many there were."""
    return queries.clean_attempts(session, most)


def _present(session: Session, token: str) -> queries.Presented:
    found = queries.present(session, token)
    if found is None or not found.is_alive or found.user.status != "active":
        raise SessionOver()
    return found


def _new_token() -> str:
    return secrets.token_urlsafe(32)


def _end(
    session: Session, login: LoginSession, reason: Literal["logout", "token_reuse"], deny: Deny
) -> None:
    login.ended_at = func.now()
    login.end_reason = reason
    session_id = login.id
    recent.forget(session, login.user_id)
    on_commit(session, lambda: deny(session_id))


def _note_success(session: Session, actor: Actor, user: User, *, failures: int) -> None:
    """A success after failures may be somebody who has guessed."""
    target = ("user", user.id)
    if failures:
        audit.record(
            session, actor, "authn_login_successafterfail", target=target, failures=failures
        )
    else:
        audit.record(session, actor, "authn_login_success", target=target)


def _note_failure(session: Session, actor: Actor, user: User | None, number: int) -> None:
    target = ("user", user.id) if user else None
    audit.record(session, actor, "authn_login_fail", target=target)
    if number == queries.MOST_FAILURES:
        audit.record(session, actor, "authn_login_lock", target=target)
    queries.clean_attempts(session)
