from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, and_, func
from sqlalchemy.orm import Mapped, mapped_column

from api.infra.db import Base
from api.models.columns import BigInt, Created, Id, String, Time

IDLE = timedelta(days=7)
ABSOLUTE = timedelta(days=30)


class LoginSession(Base):
    """One login on one device; the authority on whether its tokens still count.

    ``refresh_sequence`` is the number of the refresh token that counts now, ``refreshed_at`` when
    it was given out.
    """

    __tablename__ = "sessions"
    __table_args__ = (
        CheckConstraint("refresh_sequence > 0", name="refresh_sequence_positive"),
        CheckConstraint(
            "end_reason IN ('logout', 'token_reuse', 'blocked')", name="end_reason_known"
        ),
        CheckConstraint("(ended_at IS NULL) = (end_reason IS NULL)", name="end_has_reason"),
    )

    id: Mapped[Id]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    refresh_sequence: Mapped[BigInt] = mapped_column(server_default="1")
    created_at: Mapped[Created]
    refreshed_at: Mapped[Created]
    ended_at: Mapped[Time | None]
    end_reason: Mapped[String | None]

    @classmethod
    def is_alive(cls) -> ColumnElement[bool]:
        """Not ended, refreshed within ``IDLE``, begun within ``ABSOLUTE``; by the database's clock."""
        return and_(
            cls.ended_at.is_(None),
            cls.refreshed_at > func.now() - IDLE,
            cls.created_at > func.now() - ABSOLUTE,
        )
