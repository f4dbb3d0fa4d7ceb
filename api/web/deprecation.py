"""How an operation goes: since when it is deprecated, and when it ends at the earliest.

RFC 9745 (``Deprecation``) and RFC 8594 (``Sunset``) on every answer of the operation.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

NOTICE = timedelta(days=180)
"""The least that clients get to move on."""
KEYS = ("x-deprecated-at", "x-sunset")
DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Deprecation:
    begins: datetime
    ends: datetime

    @classmethod
    def of(cls, spec: dict[str, Any]) -> Deprecation | None:
        """What the contract says of an operation. Raises ``ValueError`` when that is not whole."""
        if not spec.get("deprecated"):
            if named := [key for key in KEYS if key in spec]:
                raise ValueError(f"is not deprecated and has {named}")
            return None
        begins, ends = (_midnight(key, spec.get(key)) for key in KEYS)
        if ends - begins < NOTICE:
            raise ValueError(f"ends less than {NOTICE.days} days after it was deprecated")
        return cls(begins, ends)

    def headers(self) -> dict[str, str]:
        return {
            "Deprecation": f"@{self.begins.timestamp():.0f}",
            "Sunset": format_datetime(self.ends, usegmt=True),
        }


def _midnight(key: str, value: object) -> datetime:
    """The first moment of a day in UTC. YAML makes a date of what is not quoted; JSON has none."""
    if not (isinstance(value, str) and DAY.fullmatch(value)):
        raise ValueError(f"is deprecated and needs {key}: 'YYYY-MM-DD', in quotes")
    return datetime.fromisoformat(value).replace(tzinfo=UTC)
