"""``Idempotency-Key``: a request that is sent again happens once, and is answered as the first time.

The key is written in the transaction of what it guards, so both are there or neither is: a client that lost
the answer, or whose worker was killed, sends the same again and learns what became of it. Two at once
wait for each other on the row. Refusals are not kept, since they changed nothing.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any
from uuid import UUID

from flask import Response, jsonify, request
from sqlalchemy import ColumnElement, delete, func, select, text, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from api.errors import Conflict, DomainError
from api.infra import db_errors
from api.models import IdempotencyKey
from api.web import context
from api.web.contract import Operation

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
KEPT_HEADERS = ("Content-Type", "ETag", "Location")
LIFETIME = timedelta(hours=24)
LONGEST_WAIT = 4_000
"""Milliseconds for an equal request under way; it ends before the deadline of this one does."""
LOCK_TIMED_OUT = "55P03"


class RequestInProgress(Conflict):
    code = "REQUEST_IN_PROGRESS"
    message = "The first request with this key is still under way. Try again shortly."

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": "2"}


class KeyReused(DomainError):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "IDEMPOTENCY_KEY_REUSED"
    message = "This key came with another request before. Use a new one for each."


@dataclass(frozen=True, slots=True)
class Claim:
    """On a key, until the transaction ends. *found*: what was kept of a request with it before."""

    session: Session
    row: ColumnElement[bool]
    request_hash: bytes
    found: IdempotencyKey | None

    def answer(self) -> Response | None:
        """Of the request that came before. Raises ``KeyReused`` when that was another one."""
        if self.found is None:
            return None
        if self.found.request_hash != self.request_hash:
            raise KeyReused()
        headers = {**(self.found.headers or {}), REPLAYED: "true"}
        return Response(self.found.body, self.found.status, headers)

    def keep(self, response: Response) -> None:
        values = {
            "status": response.status_code,
            "headers": {k: v for k, v in response.headers.items() if k in KEPT_HEADERS},
            "body": _without_secrets(response),
        }
        statement = update(IdempotencyKey).where(self.row).values(values)
        self.session.execute(statement.execution_options(synchronize_session=False))


def is_asked(operation: Operation) -> bool:
    return operation.policy.idempotent and HEADER in request.headers


def claim(session: Session, operation: Operation) -> Claim | None:
    """Of the request under way, if it has a key. To be asked before anything else is locked.

    Raises ``RequestInProgress``.
    """
    user_id = context.current().user_id
    if user_id is None or not is_asked(operation):
        return None
    key = request.headers[HEADER]
    row = (IdempotencyKey.user_id == user_id) & (IdempotencyKey.key == key)
    wanted = _request_hash()
    is_new = _is_new(session, user_id=user_id, key=key, request_hash=wanted)
    found = None if is_new else session.scalars(select(IdempotencyKey).where(row)).one()
    return Claim(session, row, wanted, found)


def remove_old(session: Session, number: int) -> int:
    """Up to so many that nobody can repeat any more; how many there were."""
    old = select(IdempotencyKey.user_id, IdempotencyKey.key).where(_is_old()).limit(number)
    rows = old.with_for_update(skip_locked=True).subquery()
    statement = (
        delete(IdempotencyKey)
        .where(IdempotencyKey.user_id == rows.c.user_id, IdempotencyKey.key == rows.c.key)
        .returning(IdempotencyKey.key)
        .execution_options(synchronize_session=False)
    )
    return len(session.scalars(statement).all())


# As text: SQLAlchemy compiles its own ON CONFLICT anew each time. Without a status: a refusal that had something to
# write down left it behind.
_CLAIM = text("""
    INSERT INTO idempotency_keys AS found (user_id, key, request_hash) VALUES (:user_id, :key, :hash)
    ON CONFLICT (user_id, key) DO UPDATE SET
        request_hash = :hash, created_at = now(), status = NULL, headers = NULL, body = NULL
        WHERE found.status IS NULL OR found.created_at < now() - :lifetime
    RETURNING key
""")


def _is_new(session: Session, *, user_id: UUID, key: str, request_hash: bytes) -> bool:
    """Waits for another request with the key. Takes the place of one that is too old."""
    session.execute(
        text(f"SET LOCAL lock_timeout = {LONGEST_WAIT}; SET LOCAL statement_timeout = 0")
    )
    try:
        asked = {"user_id": user_id, "key": key, "hash": request_hash, "lifetime": LIFETIME}
        is_new = session.scalar(_CLAIM, asked) is not None
    except OperationalError as err:
        if db_errors.sqlstate(err) == LOCK_TIMED_OUT:
            raise RequestInProgress() from err
        raise
    session.execute(
        text("SET LOCAL lock_timeout TO DEFAULT; SET LOCAL statement_timeout TO DEFAULT")
    )
    return is_new


def _request_hash() -> bytes:
    """Of what is asked for, however it was written down."""
    asked = [request.method, request.path, context.current().body]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).digest()


def _without_secrets(response: Response) -> str:
    """What is shown once is not kept either."""
    if not (secrets := context.current().shown_once):
        return response.get_data(as_text=True)
    answer: Any = response.get_json()
    answer["data"] |= dict.fromkeys(secrets)
    return jsonify(answer).get_data(as_text=True)


def _is_old() -> ColumnElement[bool]:
    return IdempotencyKey.created_at < func.now() - LIFETIME
