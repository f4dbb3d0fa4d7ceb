from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, LargeBinary, SmallInteger
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from api.infra.db import Base
from api.models.columns import Created, String


class IdempotencyKey(Base):
    """What was answered to a request that bore this key. Its caller may repeat it for a day.

    No foreign key: it would lock the person before their session, against the order of all others.
    """

    __tablename__ = "idempotency_keys"
    __table_args__ = (
        CheckConstraint("char_length(key) BETWEEN 1 AND 255", name="key_length"),
        CheckConstraint("octet_length(request_hash) = 32", name="request_hash_length"),
        CheckConstraint("status BETWEEN 200 AND 299", name="status_good"),
        CheckConstraint(
            "(status IS NULL) = (body IS NULL) AND (status IS NULL) = (headers IS NULL)",
            name="answer_whole",
        ),
    )

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[String] = mapped_column(primary_key=True)
    request_hash: Mapped[bytes] = mapped_column(LargeBinary)
    status: Mapped[int | None] = mapped_column(SmallInteger)
    """Null while the request is under way, and so never to be seen by another transaction."""
    headers: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    body: Mapped[String | None]
    created_at: Mapped[Created] = mapped_column(index=True)
