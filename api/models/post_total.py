from __future__ import annotations

from sqlalchemy import CheckConstraint, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from api.infra.db import Base
from api.models.columns import Counter

SHARDS = 16


class PostTotal(Base):
    """A part of the number of published posts; their sum is the number.

    In parts, because everybody who publishes would wait for everybody else at a single row. One part may
    be negative: a post can be taken from another part than it was added to.
    """

    __tablename__ = "post_totals"
    __table_args__ = (CheckConstraint(f"shard BETWEEN 0 AND {SHARDS - 1}", name="shard_known"),)

    shard: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    published: Mapped[Counter]
