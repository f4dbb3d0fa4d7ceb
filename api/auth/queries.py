"""Every statement about sessions, refresh tokens and failed logins."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import NamedTuple, cast
from uuid import UUID

from sqlalchemy import Interval, LargeBinary, Table, bindparam, delete, func, insert, select, text
from sqlalchemy.orm import Session

from api.infra.db import core
from api.infra.db_prepared import prepared
from api.infra.ids import new_id
from api.models import LoginFailure, LoginSession, RefreshToken, User

WINDOW = timedelta(minutes=15)
MOST_FAILURES = 5
REFRESH_GRACE = timedelta(seconds=10)
CLEANED_AT_ONCE = 20


class Attempt(NamedTuple):
    number: int
    """This one is the n-th in the window that counts now."""
    wait: float
    """Seconds until the window ends."""


class Presented(NamedTuple):
    """A refresh token as it came, with its session (locked) and person."""

    sequence: int
    session: LoginSession
    user: User
    is_alive: bool
    is_recent: bool
    """The session was refreshed within ``REFRESH_GRACE``."""


# Put together once: every login needs them.
_FAILURES, _SESSIONS, _TOKENS = (
    cast(Table, model.__table__) for model in (LoginFailure, LoginSession, RefreshToken)
)
# As text: SQLAlchemy compiles its own ON CONFLICT anew each time.
_COUNT = prepared(
    text("""
    INSERT INTO login_failures AS found (account_hash, failures) VALUES (:account, 1)
    ON CONFLICT (account_hash) DO UPDATE SET
        failures = CASE WHEN found.window_started_at <= now() - :window THEN 1 ELSE found.failures + 1 END,
        window_started_at = CASE WHEN found.window_started_at <= now() - :window
            THEN now() ELSE found.window_started_at END
    RETURNING failures, extract(epoch FROM window_started_at + :window - now())
""").bindparams(bindparam("account", type_=LargeBinary), bindparam("window", type_=Interval))
)
_FORGET = delete(_FAILURES).where(_FAILURES.c.account_hash == bindparam("account"))
_CLEAN = delete(_SESSIONS).where(
    _SESSIONS.c.user_id == bindparam("person"), ~LoginSession.is_alive()
)
_NEW = (
    insert(_SESSIONS)
    .values(id=bindparam("login"), user_id=bindparam("person"), refresh_sequence=1)
    .returning(_SESSIONS.c.id, _SESSIONS.c.refresh_sequence)
    .cte("new")
)
_FIRST = select(bindparam("token", type_=LargeBinary), _NEW.c.id, _NEW.c.refresh_sequence)
_BEGIN = prepared(
    insert(_TOKENS)
    .from_select(["token_hash", "session_id", "sequence"], _FIRST)
    .add_cte(_FORGET.cte("forgotten"), _CLEAN.cte("cleaned"))
)


def count_attempt(session: Session, account: str) -> Attempt:
    """Count a login under this account name before its password is looked at.

    The row stays locked until the transaction ends, so attempts at one account go one by one, and
    many at once guess no more often than one after the other.
    """
    number, wait = (
        core(session).execute(_COUNT, {"account": _hash(account), "window": WINDOW}).one()
    )
    return Attempt(number, float(wait))


def forget_attempts(session: Session, account: str) -> None:
    """As if nobody had tried this account name."""
    core(session).execute(_FORGET, {"account": _hash(account)})


def clean_attempts(session: Session, most: int = CLEANED_AT_ONCE) -> int:
    """Remove some windows that are over, skipping what others are at. How many there were."""
    old = (
        select(LoginFailure.account_hash)
        .where(LoginFailure.window_started_at <= func.now() - WINDOW)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    removed = delete(LoginFailure).where(LoginFailure.account_hash.in_(old))
    return len(session.scalars(removed.returning(LoginFailure.account_hash)).all())


def begin(session: Session, user: User, account: str, token: str) -> UUID:
    """A session with its first refresh token, in one trip.

    With it go the attempts at the account, and those sessions of the person that nothing can bring back to life.
    """
    login = new_id()
    told = {"account": _hash(account), "person": user.id, "login": login, "token": _hash(token)}
    core(session).execute(_BEGIN, told)
    return login


def clean_everyones_sessions(session: Session, most: int) -> int:
    """Those of anybody that nothing can bring back to life, with their refresh tokens, and as ``clean_attempts``."""
    dead = (
        select(LoginSession.id)
        .where(~LoginSession.is_alive())
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    removed = delete(LoginSession).where(LoginSession.id.in_(dead))
    return len(session.scalars(removed.returning(LoginSession.id)).all())


def add_refresh_token(session: Session, login: LoginSession, token: str) -> None:
    session.add(
        RefreshToken(token_hash=_hash(token), session_id=login.id, sequence=login.refresh_sequence)
    )


def present(session: Session, token: str) -> Presented | None:
    """Find a refresh token, current or not, and lock its session.

    Tokens never change, so what is read of them beside the locked row cannot be stale: whether one is
    still the current one stands in the session alone. The person may have changed while we waited.
    """
    statement = (
        select(
            RefreshToken.sequence,
            LoginSession,
            User,
            LoginSession.is_alive(),
            LoginSession.refreshed_at > func.now() - REFRESH_GRACE,
        )
        .join(LoginSession, LoginSession.id == RefreshToken.session_id)
        .join(User, User.id == LoginSession.user_id)
        .where(RefreshToken.token_hash == _hash(token))
        .with_for_update(of=LoginSession)
    )
    row = session.execute(statement).one_or_none()
    return Presented(*row) if row else None


def _hash(text: str) -> bytes:
    """Unsalted: a refresh token has 256 random bits, an account name is only hidden from a glance."""
    return hashlib.sha256(text.encode()).digest()
