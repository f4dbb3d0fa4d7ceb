"""Who may do what to a post."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, bindparam, not_, or_

from api.infra.actor import Actor
from api.models import Post

VISIBLE: ColumnElement[bool] = or_(Post.is_published, Post.author_id == bindparam("reader"))
"""Published, or a draft of one's own; part of the query, so that nothing else is ever fetched."""


def visible_to(actor: Actor) -> ColumnElement[bool]:
    """``VISIBLE``, for this reader."""
    return VISIBLE.params(reader=actor.user_id)


LISTED: ColumnElement[bool] = and_(Post.is_published)
"""Everything published; bare, as the partial indexes have it."""
DRAFTS: ColumnElement[bool] = and_(not_(Post.is_published), Post.author_id == bindparam("reader"))
"""One's own drafts: nobody else's, and none without a login."""


def may_edit(actor: Actor, post: Post) -> bool:
    return post.author_id == actor.user_id


def may_delete(actor: Actor, post: Post) -> bool:
    return may_edit(actor, post) or actor.has_role("moderator")
