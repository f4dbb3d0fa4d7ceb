from __future__ import annotations

from sqlalchemy import CheckConstraint, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from api.infra.db import Base
from api.models.columns import BigInt, Created


class LoginFailure(Base):
    """Failed logins under one account name, existing or not, in the window that began then.

    The name is kept as a SHA-256: it may be the address of somebody who never signed up.
    """

    __tablename__ = "login_failures"
    __table_args__ = (
        CheckConstraint("octet_length(account_hash) = 32", name="account_hash_length"),
        CheckConstraint("failures > 0", name="failures_positive"),
    )

    account_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    failures: Mapped[BigInt]
    window_started_at: Mapped[Created] = mapped_column(index=True)
