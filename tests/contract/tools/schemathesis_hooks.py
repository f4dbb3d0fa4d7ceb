"""What schemathesis cannot find in a contract: real people, and tokens that are not used up.

It needs a service with raised limits and what ``madang seed --profile contract-test`` makes; MADANG_URL says where.
"""

from __future__ import annotations

import itertools
import os
import random
from typing import Any
from urllib.parse import urlencode

import httpx
import schemathesis

API = os.environ.get("MADANG_URL", "http://localhost:8000") + "/api/v1"
PASSWORD = "a yard for everybody"
ADMINISTRATOR = {"email": "yard_keeper@example.com", "password": "four quiet magpies"}
LONGEST_URL = 7000
COOKIE = "__Host-refresh_token"
_numbers = itertools.count(random.randrange(10**8))


def _log_in() -> httpx.Response:
    """As somebody who has just signed up, so that nothing another call does can disturb it."""
    name = f"st_{next(_numbers)}"
    person = {"email": f"{name}@example.com", "username": name, "password": PASSWORD}
    httpx.post(f"{API}/auth/signup", json=person).raise_for_status()
    del person["username"]
    return httpx.post(f"{API}/auth/login", json=person).raise_for_status()


class _Bearer:
    def get(self, *_: Any) -> str:
        return str(_log_in().json()["data"]["access_token"])

    def set(self, case: schemathesis.Case, data: str, _: Any) -> None:
        case.headers["Authorization"] = f"Bearer {data}"


@schemathesis.auth(refresh_interval=60).apply_to(
    operation_id=[
        *("get_me", "update_me", "list_users", "get_user", "update_user", "list_user_posts"),
        *("list_posts", "create_post", "get_post", "update_post", "delete_post"),
        *("get_limits", "list_api_keys", "create_api_key", "delete_api_key"),
        *("list_comments", "create_comment", "get_comment", "update_comment", "delete_comment"),
    ]
)
class Login(_Bearer):
    """One person for many calls."""


@schemathesis.auth(refresh_interval=60).apply_to(
    operation_id=[
        *("list_accounts", "list_audit_logs", "block_user", "unblock_user", "change_role"),
    ]
)
class Administrator(_Bearer):
    """Of the seed; there is no way to become one over the API."""

    def get(self, *_: Any) -> str:
        answer = httpx.post(f"{API}/auth/login", json=ADMINISTRATOR).raise_for_status()
        return str(answer.json()["data"]["access_token"])


@schemathesis.auth(refresh_interval=None).apply_to(operation_id=["delete_me", "delete_user"])
class LoginOnce(_Bearer):
    """A person for each call: the operation destroys the account it uses, or may."""


@schemathesis.auth(refresh_interval=None).apply_to(operation_id=["refresh_session", "log_out"])
class Cookie:
    """A session for each call: the operation uses up its token."""

    def get(self, *_: Any) -> str:
        return str(_log_in().cookies[COOKIE])

    def set(self, case: schemathesis.Case, data: str, _: Any) -> None:
        case.cookies[COOKIE] = data


@schemathesis.hook
def filter_case(_: Any, case: schemathesis.Case) -> bool:
    """A first line over 8 KiB never becomes a request, so it belongs to no operation."""
    return len(case.formatted_path) + len(urlencode(case.query or {}, doseq=True)) < LONGEST_URL
