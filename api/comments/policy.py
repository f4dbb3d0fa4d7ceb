"""Who may do what to a comment. It can be seen by whom its post can be seen."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row

from api.infra.actor import Actor
from api.models import Comment, Post


def may_edit(actor: Actor, comment: Comment | Row[Any]) -> bool:
    """*comment*: or what readers see of it."""
    return comment.author_id is not None and comment.author_id == actor.user_id


def may_delete(actor: Actor, comment: Comment, post: Post) -> bool:
    return (
        may_edit(actor, comment) or post.author_id == actor.user_id or actor.has_role("moderator")
    )
