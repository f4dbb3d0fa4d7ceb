"""Signing up, logging in and staying logged in, as a program of one person does it.

The test client keeps no cookies here: each call names the tokens it sends.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.cookies import SimpleCookie
from threading import Barrier
from typing import TypeVar

import httpx
from prometheus_client import REGISTRY
from sqlalchemy import text
from starlette.testclient import TestClient

from api.app import App
from api.infra.db import db
from tests.people import PASSWORD
from tests.waiting import until

T = TypeVar("T")
Query = Callable[..., list[tuple[object, ...]]]
Service = Callable[..., TestClient]

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE :pid = ANY(pg_blocking_pids(pid))"
PROGRAM = {"X-Requested-With": "tests"}
COOKIE = "refresh_token"
HOST_COOKIE = "__Host-refresh_token"


@dataclass(frozen=True)
class Login:
    access: str
    refresh: str

    @classmethod
    def of(cls, response: httpx.Response) -> Login:
        assert response.status_code == 200, response.text
        return cls(response.json()["data"]["access_token"], cookie_of(response))

    @property
    def auth(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.access}"}


def sign_up(client: TestClient, username: str, **changes: str) -> httpx.Response:
    body = {"email": f"{username}@example.com", "username": username, "password": PASSWORD}
    response: httpx.Response = client.post("/api/v1/auth/signup", json=body | changes)
    return response


def log_in(
    client: TestClient,
    email: str,
    password: str = PASSWORD,
    headers: Mapping[str, str] | None = None,
) -> httpx.Response:
    body = {"email": email, "password": password}
    return _forgotten(client, client.post("/api/v1/auth/login", json=body, headers=headers))


def begin(client: TestClient, email: str) -> Login:
    """A login that must succeed."""
    return Login.of(log_in(client, email))


def refresh(
    client: TestClient, token: str, headers: Mapping[str, str] = PROGRAM, name: str = COOKIE
) -> httpx.Response:
    return _with_cookie(client, "/api/v1/auth/refresh", f"{name}={token}", headers)


def go_on(client: TestClient, token: str, *, name: str = COOKIE) -> Login:
    """A refresh that must succeed."""
    return Login.of(refresh(client, token, name=name))


def log_out(
    client: TestClient, token: str, headers: Mapping[str, str] = PROGRAM, name: str = COOKIE
) -> httpx.Response:
    return _with_cookie(client, "/api/v1/auth/logout", f"{name}={token}", headers)


def me(client: TestClient, access: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {access}"}
    response: httpx.Response = client.get("/api/v1/users/me", headers=headers)
    return response


def cookie_of(response: httpx.Response) -> str:
    """The refresh token that an answer sets; empty when it deletes the cookie."""
    [(_, morsel)] = SimpleCookie(response.headers["Set-Cookie"]).items()
    return morsel.value


def code_of(response: httpx.Response) -> str:
    code: str = response.json()["error"]["code"]
    return code


def hashes() -> float:
    """How many passwords this process has hashed."""
    return REGISTRY.get_sample_value("password_hashes_total") or 0.0


def at_once(number: int, call: Callable[[int], T]) -> list[T]:
    """Call from that many threads, which begin together."""
    barrier = Barrier(number)

    def run(index: int) -> T:
        barrier.wait()
        return call(index)

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(run, range(number)))


def meanwhile(query: Query, app: App, statement: str, call: Callable[[], T]) -> T:
    """Call while another transaction has done *statement*, and commit that once the call waits."""
    with app.flask.app_context(), db.engine.connect() as other, ThreadPoolExecutor(1) as pool:
        other.execute(text(statement))
        pid = other.scalar(text("SELECT pg_backend_pid()"))
        answer = pool.submit(call)
        until(lambda: answer.done() or query(WAITING, pid=pid) != [(0,)], pause=0)
        other.commit()
        return answer.result()


def _with_cookie(
    client: TestClient, path: str, cookie: str, headers: Mapping[str, str]
) -> httpx.Response:
    return _forgotten(client, client.post(path, headers={**headers, "Cookie": cookie}))


def _forgotten(client: TestClient, response: httpx.Response) -> httpx.Response:
    client.cookies.clear()
    return response
