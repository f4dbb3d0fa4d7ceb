from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import Index, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, foreign, mapped_column, relationship

from api.infra.db import Base
from api.models.columns import Created, Id, String
from api.models.user import User


class AuditLog(Base):
    """A security act. No foreign keys: the row outlives whom and what it tells of.

    The database refuses to change or remove a row; only ``expire_audit_logs`` removes old ones.
    """

    __tablename__ = "audit_logs"
    __table_args__ = (
        Index("ix_audit_logs_created", text("created_at DESC"), text("id DESC")),
        *(
            Index(f"ix_audit_logs_{column}", column, text("created_at DESC"), text("id DESC"))
            for column in ("actor_id", "action", "target_type", "target_id")
        ),
    )

    id: Mapped[Id]
    action: Mapped[String]
    actor_id: Mapped[UUID | None] = mapped_column(Uuid)
    target_type: Mapped[String | None]
    target_id: Mapped[UUID | None] = mapped_column(Uuid)
    ip: Mapped[String]
    request_id: Mapped[String]
    details: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    created_at: Mapped[Created]

    # By value: the person may be gone.
    actor: Mapped[User | None] = relationship(
        primaryjoin=lambda: foreign(AuditLog.actor_id) == User.id, viewonly=True, lazy="raise"
    )
