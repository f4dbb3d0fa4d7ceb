"""Columns that every table writes the same way."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Text, Uuid, func, text
from sqlalchemy.orm import mapped_column

from api.infra.ids import new_id

Id = Annotated[UUID, mapped_column(Uuid, primary_key=True, default=new_id)]
String = Annotated[str, mapped_column(Text)]
BigInt = Annotated[int, mapped_column(BigInteger)]
Counter = Annotated[int, mapped_column(BigInteger, server_default="0")]
Time = Annotated[datetime, mapped_column(DateTime(timezone=True))]
Created = Annotated[datetime, mapped_column(DateTime(timezone=True), server_default=func.now())]
Updated = Annotated[
    datetime,
    mapped_column(DateTime(timezone=True), server_default=func.now(), onupdate=func.now()),
]
Version = Annotated[
    int, mapped_column(BigInteger, server_default="1", onupdate=text("version + 1"))
]
"""Moves whenever ``updated_at`` does: with what people wrote, and with no counter."""
