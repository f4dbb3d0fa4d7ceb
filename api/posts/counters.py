"""Every statement about how many posts and comments there are."""

from __future__ import annotations

import random
from typing import cast
from uuid import UUID

from sqlalchemy import (
    CTE,
    BigInteger,
    Column,
    ColumnElement,
    Integer,
    Table,
    TextClause,
    Update,
    bindparam,
    column,
    func,
    select,
    text,
    update,
)
from sqlalchemy.orm import Session

from api.infra.db import core
from api.infra.db_prepared import prepared
from api.models import Post, PostTotal, User
from api.models.post_total import SHARDS

_POSTS, _USERS = (cast(Table, model.__table__) for model in (Post, User))

PUBLISHED = select(func.coalesce(func.sum(PostTotal.published), 0).cast(BigInteger))
"""How many there are, by the counter."""


def count_published(session: Session) -> int:
    return int(core(session).execute(PUBLISHED).scalar_one())


def _add_to(table: Table, counter: Column[int], *which: ColumnElement[bool]) -> Update:
    """In one atomic statement; a counter is no change of what people wrote, so time and version stay."""
    return (
        update(table)
        .where(*which)
        .values(
            {
                counter: counter + bindparam("more"),
                table.c.updated_at: table.c.updated_at,
                table.c.version: table.c.version,
            }
        )
    )


def _add_to_total(source: str) -> TextClause:
    """As text: SQLAlchemy compiles its own ON CONFLICT anew each time."""
    counted = (
        f"INSERT INTO post_totals AS total (shard, published) {source} "  # nosec B608
        "ON CONFLICT (shard) DO UPDATE SET published = total.published + :more RETURNING total.shard"
    )
    whole = (bindparam("shard", type_=Integer), bindparam("more", type_=Integer))
    return text(counted).bindparams(*whole)


_ADD_COMMENTS = prepared(_add_to(_POSTS, _POSTS.c.comment_count, _POSTS.c.id == bindparam("row")))
_ADD_POSTS = prepared(_add_to(_USERS, _USERS.c.post_count, _USERS.c.id == bindparam("row")))
_ADD_TO_TOTAL = prepared(_add_to_total("VALUES (:shard, :more)"))


def add_to_comment_count(session: Session, post_id: UUID, number: int) -> None:
    """The row stays locked, so comments of a post are stored one by one."""
    core(session).execute(_ADD_COMMENTS, {"row": post_id, "more": number})


def add_to_post_count(session: Session, user_id: UUID, number: int) -> None:
    """And to the total."""
    core(session).execute(_ADD_POSTS, {"row": user_id, "more": number})
    add_to_total(session, number)


def add_to_total(session: Session, number: int) -> None:
    """To be locked last."""
    core(session).execute(_ADD_TO_TOTAL, to_any_shard(number))


def to_any_shard(number: int) -> dict[str, int]:
    """The parameters of what adds to the total: to one part of it in a transaction, whichever."""
    shard = random.randrange(SHARDS)  # noqa: S311 - spreads the writers, guards nothing
    return {"shard": shard, "more": number}


def of_new(new: CTE) -> tuple[CTE, CTE]:
    """Counts new posts that are published, in the statement that adds them; its parameters are ``to_any_shard(1)``.

    The post is locked first, then the person, then the total: each reads what the one before it wrote, since
    PostgreSQL would choose another order where nothing tells it.
    """
    theirs = (_USERS.c.id == new.c.author_id, new.c.is_published)
    person = _add_to(_USERS, _USERS.c.post_count, *theirs).returning(_USERS.c.id).cte("counted")
    total = _add_to_total("SELECT :shard, :more FROM counted")
    return person, total.columns(column("shard", Integer)).cte("totalled")
