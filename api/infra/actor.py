"""Who acts, as services see it: no request, no model, nothing that can change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast
from uuid import UUID

Role = Literal["anyone", "user", "moderator", "admin"]
RANK: dict[str, int] = {"anyone": 0, "user": 1, "moderator": 2, "admin": 3}
"""A higher role may do what a lower one may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    user_id: UUID | None
    role: Role
    session_id: UUID | None
    scopes: frozenset[str]
    ip: str
    request_id: str

    @property
    def person(self) -> UUID:
        """The id of whom the policy let through as logged in."""
        return cast(UUID, self.user_id)

    def has_role(self, role: str) -> bool:
        return RANK[self.role] >= RANK[role]


def anonymous(ip: str, request_id: str) -> Actor:
    return Actor(
        user_id=None,
        role="anyone",
        session_id=None,
        scopes=frozenset(),
        ip=ip,
        request_id=request_id,
    )
