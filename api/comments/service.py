"""What may happen to a comment. Knows no HTTP, never commits.

A post is locked before a comment of it, always, so that nobody waits in a circle.
"""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from api.audit import service as audit
from api.comments import policy, queries
from api.comments.queries import Shown
from api.errors import Forbidden, NotFound, TokenInvalid
from api.infra import db_errors, versions
from api.infra.actor import Actor
from api.infra.paging import Part, Window
from api.infra.versions import Seen
from api.models import Comment
from api.models.comment import AUTHOR
from api.posts import policy as post_policy
from api.posts import service as posts


class CommentNotFound(NotFound):
    """Also for one under a post that the caller may not know of."""

    message = "There is no such comment."


def listed(session: Session, actor: Actor, *, post_id: UUID, window: Window) -> Part[Shown]:
    """The comments of a post, oldest first. Raises ``PostNotFound``."""
    post = posts.get(session, actor, post_id=post_id)
    part = queries.of_post(session, post_id, window)
    return replace(part, total=post.comment_count) if window.is_numbered else part


def get(session: Session, actor: Actor, *, comment_id: UUID) -> Shown:
    """Raises ``CommentNotFound``."""
    comment = queries.by_id(session, comment_id, post_policy.VISIBLE, actor.user_id)
    if comment is None:
        raise CommentNotFound()
    return comment


def create(session: Session, actor: Actor, *, post_id: UUID, body: str) -> Shown:
    """Raises ``PostNotFound``."""
    posts.hold(session, actor, post_id=post_id)
    comment = Comment(post_id=post_id, author_id=actor.person, body=body)
    session.add(comment)
    try:
        session.flush()
    except IntegrityError as err:
        if db_errors.violated(err) == AUTHOR:  # who wrote it was deleted in this very moment
            raise TokenInvalid() from err
        raise
    posts.count_comments(session, post_id=post_id, number=1)
    return get(session, actor, comment_id=comment.id)


def update(
    session: Session, actor: Actor, *, comment_id: UUID, body: str, seen: Seen = None
) -> Shown:
    """Raises ``CommentNotFound``, ``Forbidden`` for a comment of somebody else, or ``PreconditionFailed``."""
    if not policy.may_edit(actor, get(session, actor, comment_id=comment_id)):
        raise Forbidden()
    comment = queries.hold(session, comment_id)
    if comment is None:
        raise CommentNotFound()
    versions.require(comment, seen)
    comment.body = body
    session.flush()
    return get(session, actor, comment_id=comment_id)


def delete(session: Session, actor: Actor, *, comment_id: UUID, seen: Seen = None) -> None:
    """Raises ``CommentNotFound``, ``Forbidden`` for who may not, or ``PreconditionFailed``."""
    post_id = get(session, actor, comment_id=comment_id).post_id
    post = posts.hold(session, actor, post_id=post_id)
    comment = queries.hold(session, comment_id)
    if comment is None:
        raise CommentNotFound()
    if not policy.may_delete(actor, comment, post):
        raise Forbidden()
    versions.require(comment, seen)
    posts.count_comments(session, post_id=post_id, number=-1)
    if comment.author_id != actor.user_id:
        audit.record(session, actor, "sensitive_delete", target=("comment", comment.id))
    session.delete(comment)
