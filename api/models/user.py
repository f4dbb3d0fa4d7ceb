from __future__ import annotations

from sqlalchemy import CheckConstraint, Index, Text, func, text
from sqlalchemy.orm import Mapped, mapped_column

from api.infra.db import Base
from api.models.columns import Counter, Created, Id, String, Updated, Version


class User(Base):
    """A person. ``post_count`` counts what anonymous readers see: published posts."""

    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint("char_length(email) <= 254", name="email_length"),
        CheckConstraint("username ~ '^[a-z0-9_]{3,30}$'", name="username_form"),
        CheckConstraint("char_length(bio) <= 500", name="bio_length"),
        CheckConstraint("role IN ('user', 'moderator', 'admin')", name="role_known"),
        CheckConstraint("status IN ('active', 'blocked')", name="status_known"),
        CheckConstraint("post_count >= 0", name="post_count_not_negative"),
        Index("ix_users_created", text("created_at DESC"), text("id DESC")),
        Index("ix_users_role", "role", text("created_at DESC"), text("id DESC")),
        Index("ix_users_status", "status", text("created_at DESC"), text("id DESC")),
    )

    id: Mapped[Id]
    email: Mapped[String]
    username: Mapped[str] = mapped_column(Text(collation="C"), unique=True)
    """By bytes, so that one index serves its beginning and its order, whatever the database speaks."""
    bio: Mapped[String | None]
    password_hash: Mapped[String]
    role: Mapped[String] = mapped_column(server_default="user")
    status: Mapped[String] = mapped_column(server_default="active")
    post_count: Mapped[Counter]
    created_at: Mapped[Created]
    updated_at: Mapped[Updated]
    version: Mapped[Version]


BY_EMAIL = Index(
    "ix_users_email_prefix",
    func.lower(User.email).label("email"),
    postgresql_ops={"email": "text_pattern_ops"},
)
UNIQUE_EMAIL = Index("uq_users_email_lower", func.lower(User.email), unique=True)
UNIQUE_USERNAME = "uq_users_username"
