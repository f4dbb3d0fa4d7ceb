"""Who was found logged in a moment ago: PostgreSQL is not asked for that again within the second.

What ends a session or changes a person forgets them here, at once on every worker of this host (api/infra/changes.py);
other hosts ask again before a second is over.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from threading import Lock
from uuid import UUID

from sqlalchemy.orm import Session

from api.infra import changes
from api.infra.actor import Role
from api.infra.db import on_commit

SECONDS = 0.9
MOST = 10_000
"""People."""


@dataclass(frozen=True, slots=True)
class Found:
    role: Role
    mark: bytes
    until: float


class Recent:
    """The roles of those who have logged in, by session."""

    def __init__(self) -> None:
        self._found: dict[UUID, tuple[UUID, Found]] = {}
        self._lock = Lock()

    def role(self, session_id: UUID, user_id: UUID) -> Role | None:
        """None when it has to be asked for."""
        owner, found = self._found.get(session_id, (None, None))
        if found is None or owner != user_id or found.until < time.monotonic():
            return None
        return found.role if found.mark == word(user_id) else None

    def keep(self, session_id: UUID, user_id: UUID, role: Role, mark: bytes) -> None:
        """*mark*: the ``word`` of the person before the question was asked."""
        with self._lock:
            if len(self._found) >= MOST:
                self._found.clear()
            self._found[session_id] = (user_id, Found(role, mark, time.monotonic() + SECONDS))


def word(user_id: UUID) -> bytes:
    """Another one after each change of what the person may do, and after each loss of Redis."""
    return changes.losses() + changes.word(_group(user_id))


def forget(session: Session, user_id: UUID) -> None:
    """Once this transaction is durable, let everybody ask again."""
    on_commit(session, lambda: changes.note(_group(user_id)))


def _group(user_id: UUID) -> str:
    return f"person:{user_id}"
