from __future__ import annotations

from uuid import UUID

from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Index,
    LargeBinary,
    Text,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from api.infra.db import Base
from api.models.columns import Created, Id, String, Time


class ApiKey(Base):
    """Lets a program act for a person, within its scopes and until it expires.

    The key is kept as a SHA-256, which is enough for 256 random bits; ``hint`` is how it begins.
    """

    __tablename__ = "api_keys"
    __table_args__ = (
        CheckConstraint("char_length(name) BETWEEN 1 AND 100", name="name_length"),
        CheckConstraint("octet_length(key_hash) = 32", name="key_hash_length"),
        CheckConstraint(
            "scopes <@ ARRAY['read', 'write'] AND cardinality(scopes) > 0", name="scopes_known"
        ),
        Index("ix_api_keys_user", "user_id", text("created_at DESC"), text("id DESC")),
    )

    id: Mapped[Id]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    name: Mapped[String]
    hint: Mapped[String]
    key_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    created_at: Mapped[Created]
    expires_at: Mapped[Time]
    last_used_at: Mapped[Time | None]
    """To the minute: not every use is written down."""

    @classmethod
    def is_alive(cls) -> ColumnElement[bool]:
        return cls.expires_at > func.now()
