"""What an administrator does to an account, as a program calls it."""

from __future__ import annotations

from collections.abc import Callable

import httpx
from starlette.testclient import TestClient

from tests.people import Person

ADMIN = "/api/v1/admin"
NOBODY = "01a20547-abc9-7556-b949-68714accd4b0"
REASON = {"reason": "Posts advertising again and again"}

Query = Callable[..., list[tuple[object, ...]]]
Act = Callable[[TestClient, Person | None, object], httpx.Response]


def block(client: TestClient, who: Person | None, user_id: object) -> httpx.Response:
    url = f"{ADMIN}/users/{user_id}/block"
    return client.post(url, json=REASON, headers=who.auth if who else {})


def unblock(client: TestClient, who: Person | None, user_id: object) -> httpx.Response:
    return client.post(f"{ADMIN}/users/{user_id}/unblock", headers=who.auth if who else {})


def change_role(
    client: TestClient, who: Person | None, user_id: object, role: str = "moderator"
) -> httpx.Response:
    url = f"{ADMIN}/users/{user_id}/role"
    return client.put(url, json={"role": role}, headers=who.auth if who else {})


ACTS: dict[str, Act] = {"block": block, "unblock": unblock, "change_role": change_role}
