from __future__ import annotations

from typing import cast
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Column,
    Computed,
    ForeignKey,
    Index,
    Table,
    literal_column,
    text,
)
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from api.infra.db import Base
from api.models.columns import Counter, Created, Id, String, Time, Updated, Version

SHORT_LIST = {"gin_pending_list_limit": 512}
"""KiB that each search reads anew, until they are worked into its index."""
AUTHOR = "fk_posts_author_id"


class Post(Base):
    """A post, or a draft that its author alone can see."""

    __tablename__ = "posts"
    __table_args__ = (
        CheckConstraint("char_length(title) BETWEEN 1 AND 200", name="title_length"),
        CheckConstraint("char_length(body) BETWEEN 1 AND 20000", name="body_length"),
        CheckConstraint("comment_count >= 0", name="comment_count_not_negative"),
        CheckConstraint(
            "published_at IS NOT NULL OR NOT is_published", name="published_posts_have_a_time"
        ),
        Index(
            "ix_posts_published",
            text("published_at DESC"),
            text("id DESC"),
            postgresql_where=text("is_published"),
        ),
        Index(
            "ix_posts_created",
            text("created_at DESC"),
            text("id DESC"),
            postgresql_where=text("is_published"),
        ),
        Index(
            "ix_posts_author_published",
            "author_id",
            text("published_at DESC"),
            text("id DESC"),
            postgresql_where=text("is_published"),
        ),
        Index(
            "ix_posts_trigrams",
            literal_column("((title || ' '::text) || body)").label("text"),
            postgresql_using="gin",
            postgresql_with=SHORT_LIST,
            postgresql_ops={"text": "gin_trgm_ops"},
            postgresql_where=text("is_published"),
        ),
        # Of all posts, for drafts; also what the foreign key needs when somebody goes.
        Index("ix_posts_author_created", "author_id", text("created_at DESC"), text("id DESC")),
    )

    id: Mapped[Id]
    author_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    title: Mapped[String]
    body: Mapped[String]
    is_published: Mapped[bool] = mapped_column(server_default="false")
    published_at: Mapped[Time | None]
    comment_count: Mapped[Counter]
    created_at: Mapped[Created]
    updated_at: Mapped[Updated]
    version: Mapped[Version]


TABLE = cast(Table, Post.__table__)

# Kept out of the class, so that the ORM neither loads it with each post nor reads it back.
# NFKC, as what people search for is: a wide letter and a composed syllable are found either way.
SEARCH: Column[str] = Column(
    "search",
    TSVECTOR,
    Computed(
        "setweight(to_tsvector('simple', normalize(title, NFKC)), 'A') || "
        "setweight(to_tsvector('simple', normalize(body, NFKC)), 'B')",
        persisted=True,
    ),
    nullable=False,
)
TABLE.append_column(SEARCH)
TEXT = Post.title + literal_column("' '") + Post.body
"""What is searched for the middle of words, as it was typed; written as its index is, or that is not used."""

Index(
    "ix_posts_search",
    SEARCH,
    postgresql_using="gin",
    postgresql_with=SHORT_LIST,
    postgresql_where=Post.is_published,
)
