from __future__ import annotations

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from api.infra.db import Base
from api.models.columns import Counter, Created, Id, String, Time, Updated
from api.models.user import User

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
    )

    id: Mapped[Id]
    author_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    title: Mapped[String]
    body: Mapped[String]
    is_published: Mapped[bool] = mapped_column(server_default="false")
    published_at: Mapped[Time | None]
    comment_count: Mapped[Counter]
    created_at: Mapped[Created]
    updated_at: Mapped[Updated]

    # Loading is a decision of the query, never an accident of the answer.
    author: Mapped[User] = relationship(lazy="raise")
