"""Removes what is over: old audit rows, sessions that nothing can revive, past counts of failed logins,
answers that nobody can ask for again.

For an operator to run every day or so. The service goes on meanwhile, and nothing that it still needs
is removed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from api.audit import service as audit
from api.auth import service as auth
from api.commands.release import unhurried
from api.config import Settings
from api.web import idempotency

BATCH = 1_000
"""Rows removed in one transaction, so that no request waits long behind it."""


def clean_up(settings: Settings) -> Iterator[str]:
    """Yields a line for each kind of thing, with how many there were."""
    engine = unhurried(settings.database_url)
    yield f"Sessions that were over: {_in_batches(engine, auth.remove_dead_sessions)}"
    yield f"Counts of failed logins that were over: {_in_batches(engine, auth.remove_past_attempts)}"
    yield f"Answers kept for repeated requests: {_in_batches(engine, idempotency.remove_old)}"
    days = settings.audit_retention_days
    with Session(engine) as session, session.begin():
        removed = audit.expire(session, days=days)  # by the database's own function, all at once
    yield f"Audit rows older than {days} days: {removed}"


def _in_batches(engine: Engine, remove: Callable[[Session, int], int]) -> int:
    total, removed = 0, BATCH
    while removed == BATCH:
        with Session(engine) as session, session.begin():
            removed = remove(session, BATCH)
        total += removed
    return total
