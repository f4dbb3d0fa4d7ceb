"""What an error of PostgreSQL means to a caller.

SQLSTATE classes: https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

from __future__ import annotations

import logging

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from api.errors import (
    Conflict,
    DomainError,
    InvalidInput,
    NotFound,
    Overloaded,
    ReadOnly,
    TimedOut,
    Unavailable,
)
from api.infra.db_prepared import LOST
from api.infra.metrics import GUARD_MISSES

log = logging.getLogger(__name__)

FAILURES = (SQLAlchemyError, UnicodeEncodeError)
"""What a statement may raise: psycopg2 itself refuses text that is not UTF-8."""
TRIED_AGAIN = {"40001", "40P01"} | LOST
"""A transaction that lost to another one, or whose statements are not prepared any more."""
BY_STATE: dict[str, type[DomainError]] = {
    "25006": ReadOnly,
    "42501": ReadOnly,  # an operator took a right away, such as that to write audit rows
    "53100": ReadOnly,
    "53300": Unavailable,
    "57P01": Unavailable,
    "57P02": Unavailable,
    "57P03": Unavailable,
    "57014": TimedOut,
    "55P03": TimedOut,
    "25P03": TimedOut,
    "40001": Overloaded,
    "40P01": Overloaded,
    "23505": Conflict,
    "23503": NotFound,
}
BY_CLASS: dict[str, type[DomainError]] = {"08": Unavailable, "22": InvalidInput}


def sqlstate(err: BaseException) -> str:
    """The five characters, or an empty string when the server said nothing."""
    return getattr(getattr(err, "orig", None), "pgcode", None) or ""


def is_retryable(err: Exception) -> bool:
    return sqlstate(err) in TRIED_AGAIN


def violated(err: DBAPIError) -> str | None:
    """The name of the constraint that refused a row."""
    diag = getattr(err.orig, "diag", None)
    return getattr(diag, "constraint_name", None)


def translate(err: Exception) -> Exception:
    """The failure a client may see. An error that nobody foresaw comes back as it is: a bug."""
    if isinstance(err, PoolTimeout):
        return Overloaded()
    if isinstance(err, UnicodeEncodeError):
        return _guard_missed("a lone surrogate")
    if not isinstance(err, DBAPIError):
        return err
    state = sqlstate(err)
    found = BY_STATE.get(state) or BY_CLASS.get(state[:2])
    if found is None and (err.connection_invalidated or _never_connected(err, state)):
        found = Unavailable
    if found is None:
        return err
    if found is InvalidInput:
        return _guard_missed(state)
    if issubclass(found, Unavailable):
        log.warning("database: %s", state or type(err.orig).__name__)
    return found()


def _guard_missed(what: str) -> InvalidInput:
    GUARD_MISSES.inc()
    log.error("the database refused a value that the contract let through: %s", what)
    return InvalidInput()


def _never_connected(err: DBAPIError, state: str) -> bool:
    """psycopg2 gives no SQLSTATE when there was no server to give one."""
    return not state and type(err.orig).__name__ in ("OperationalError", "InterfaceError")
