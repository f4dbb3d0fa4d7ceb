from __future__ import annotations

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from api.infra.db import Base
from api.models.columns import BigInt


class RefreshToken(Base):
    """A refresh token that was given out: its SHA-256 and its number in its session. Never changed.

    Old ones stay as long as their session, because a session ends when an old one comes back.
    """

    __tablename__ = "refresh_tokens"
    __table_args__ = (CheckConstraint("octet_length(token_hash) = 32", name="token_hash_length"),)

    token_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    session_id: Mapped[UUID] = mapped_column(
        ForeignKey("sessions.id", ondelete="CASCADE"), index=True
    )
    sequence: Mapped[BigInt]
