from __future__ import annotations

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from api.infra.db import Base
from api.models.columns import Created, Id, String, Updated, Version

AUTHOR = "fk_comments_author_id"


class Comment(Base):
    """What somebody answers to a post. It stays when its author goes, so that a thread can be read."""

    __tablename__ = "comments"
    __table_args__ = (
        CheckConstraint("char_length(body) BETWEEN 1 AND 5000", name="body_length"),
        Index("ix_comments_thread", "post_id", "created_at", "id"),
    )

    id: Mapped[Id]
    post_id: Mapped[UUID] = mapped_column(ForeignKey("posts.id", ondelete="CASCADE"))
    author_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("users.id", ondelete="SET NULL"), index=True
    )
    body: Mapped[String]
    created_at: Mapped[Created]
    updated_at: Mapped[Updated]
    version: Mapped[Version]
