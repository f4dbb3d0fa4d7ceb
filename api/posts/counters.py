"""Every statement about how many posts and comments there are."""

from __future__ import annotations

import random
from typing import cast
from uuid import UUID

from sqlalchemy import BigInteger, Column, Table, Update, bindparam, func, select, text, update
from sqlalchemy.orm import Session

from api.infra.db import core
from api.models import Post, PostTotal, User
from api.models.post_total import SHARDS

_POSTS, _USERS = (cast(Table, model.__table__) for model in (Post, User))

PUBLISHED = select(func.coalesce(func.sum(PostTotal.published), 0).cast(BigInteger))
"""How many there are, by the counter."""


def count_published(session: Session) -> int:
    return int(core(session).execute(PUBLISHED).scalar_one())


def _add_to(table: Table, counter: Column[int]) -> Update:
    """In one atomic statement; a counter is no change of what people wrote, so time and version stay."""
    return (
        update(table)
        .where(table.c.id == bindparam("row"))
        .values(
            {
                counter: counter + bindparam("more"),
                table.c.updated_at: table.c.updated_at,
                table.c.version: table.c.version,
            }
        )
    )


_ADD_COMMENTS = _add_to(_POSTS, _POSTS.c.comment_count)
_ADD_POSTS = _add_to(_USERS, _USERS.c.post_count)


def add_to_comment_count(session: Session, post_id: UUID, number: int) -> None:
    """The row stays locked, so comments of a post are stored one by one."""
    core(session).execute(_ADD_COMMENTS, {"row": post_id, "more": number})


def add_to_post_count(session: Session, user_id: UUID, number: int) -> None:
    """And to the total."""
    core(session).execute(_ADD_POSTS, {"row": user_id, "more": number})
    add_to_total(session, number)


# As text: SQLAlchemy compiles its own ON CONFLICT anew each time.
_ADD_TO_TOTAL = text("""
    INSERT INTO post_totals AS total (shard, published) VALUES (:shard, :more)
    ON CONFLICT (shard) DO UPDATE SET published = total.published + :more
""")


def add_to_total(session: Session, number: int) -> None:
    """To any part of the total; to be locked last, and one of them in a transaction."""
    shard = random.randrange(SHARDS)  # noqa: S311 - spreads the writers, guards nothing
    core(session).execute(_ADD_TO_TOTAL, {"shard": shard, "more": number})
