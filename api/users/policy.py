"""Who may do what to an account."""

from __future__ import annotations

from api.infra.actor import Actor
from api.models import User


def may_manage(actor: Actor, user: User) -> bool:
    """See what is private of it, change it, remove it."""
    return actor.user_id == user.id or actor.has_role("admin")
