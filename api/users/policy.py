"""Who may do what to an account."""

from __future__ import annotations

from uuid import UUID

from api.infra.actor import Actor


def may_manage(actor: Actor, user_id: UUID) -> bool:
    """See what is private of it, change it, remove it."""
    return actor.user_id == user_id or actor.has_role("admin")
