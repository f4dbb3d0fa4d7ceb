from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from api.infra.db import Base
from api.models.columns import Created, Id, String


class AuditLog(Base):
    """A security act. No foreign keys: the row outlives whom and what it tells of."""

    __tablename__ = "audit_logs"

    id: Mapped[Id]
    action: Mapped[String]
    actor_id: Mapped[UUID | None] = mapped_column(Uuid)
    target_type: Mapped[String | None]
    target_id: Mapped[UUID | None] = mapped_column(Uuid)
    ip: Mapped[String]
    request_id: Mapped[String]
    details: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    created_at: Mapped[Created] = mapped_column(index=True)
