"""What may happen to an API key. Knows no HTTP, never commits."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.orm import Session

from api.audit import service as audit
from api.errors import Conflict, NotFound
from api.infra import api_keys
from api.infra.actor import Actor
from api.infra.paging import Part, Window
from api.keys import queries
from api.models import ApiKey

MOST = 20
"""That a person may have, expired ones included."""


class KeyNotFound(NotFound):
    """Also for one of somebody else."""

    message = "There is no such API key."


class TooManyKeys(Conflict):
    code = "TOO_MANY_KEYS"
    message = f"Nobody has more than {MOST} API keys. Delete one first."


def listed(session: Session, actor: Actor, *, window: Window) -> Part[ApiKey]:
    """Those of the caller, the newest first."""
    return queries.newest(session, actor.person, window)


def create(
    session: Session, actor: Actor, *, name: str, scopes: Sequence[str], expires_in_days: int
) -> tuple[ApiKey, str]:
    """The new key, and the secret itself, which nobody can tell again. Raises ``TooManyKeys``."""
    if queries.count_alone(session, actor.person) >= MOST:
        raise TooManyKeys()
    secret = api_keys.new()
    key = ApiKey(
        user_id=actor.person,
        name=name,
        hint=secret[: api_keys.HINT],
        key_hash=api_keys.digest(secret),
        scopes=sorted(scopes),
        expires_at=func.now() + timedelta(days=expires_in_days),
    )
    session.add(key)
    session.flush()
    target = ("api_key", key.id)
    audit.record(session, actor, "authn_token_created", target=target, scopes=key.scopes)
    return key, secret


def delete(session: Session, actor: Actor, *, key_id: UUID) -> None:
    """It counts no more from the next request on. Raises ``KeyNotFound``."""
    key = queries.hold(session, actor.person, key_id)
    if key is None:
        raise KeyNotFound()
    audit.record(session, actor, "authn_token_revoked", target=("api_key", key.id))
    session.delete(key)
