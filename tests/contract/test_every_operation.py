"""Each operation once as it is meant and once refused; the client holds both against the contract."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest
from starlette.testclient import TestClient

from tests.people import PASSWORD, People, Person
from tests.spec import CONTRACT

API = CONTRACT.base_path
HERE = {"X-Requested-With": "madang-test"}
NEW_PERSON = {"email": "hana@example.com", "username": "hana_kim", "password": PASSWORD}
COMMENT = {"body": "무슨 꽃인가요?"}
KEY = {"name": "nightly import", "scopes": ["read"]}
POST = {"title": "마당에 핀 꽃", "body": "The first one this year.", "is_published": True}

Call = Callable[[httpx.Client, Person], httpx.Response]


def log_in(client: httpx.Client, ada: Person) -> httpx.Response:
    body = {"email": ada.email, "password": PASSWORD}
    return client.post(f"{API}/auth/login", json=body)


def with_cookie(path: str) -> Call:
    def call(client: httpx.Client, ada: Person) -> httpx.Response:
        log_in(client, ada)
        return client.post(path, headers=HERE)

    return call


def write_post(client: httpx.Client, ada: Person) -> str:
    """Where it is."""
    created = client.post(f"{API}/posts", json=POST, headers=ada.auth)
    return created.headers["Location"]


def get_post(client: httpx.Client, ada: Person) -> httpx.Response:
    return client.get(write_post(client, ada))


def write_comment(client: httpx.Client, ada: Person) -> httpx.Response:
    comments = f"{write_post(client, ada)}/comments"
    return client.post(comments, json=COMMENT, headers=ada.auth)


def list_comments(client: httpx.Client, ada: Person) -> httpx.Response:
    post_id = write_comment(client, ada).json()["data"]["post_id"]
    return client.get(f"{API}/posts/{post_id}/comments")


def to_a_comment(method: str, body: dict[str, str] | None = None) -> Call:
    def call(client: httpx.Client, ada: Person) -> httpx.Response:
        place = write_comment(client, ada).headers["Location"]
        return client.request(method, place, json=body, headers=ada.auth)

    return call


def make_key(client: httpx.Client, ada: Person) -> httpx.Response:
    return client.post(f"{API}/api-keys", json=KEY, headers=ada.auth)


def list_user_posts(client: httpx.Client, ada: Person) -> httpx.Response:
    write_post(client, ada)
    return client.get(f"{API}/users/{ada.id}/posts")


def as_admin(method: str, path: str, body: dict[str, str] | None = None) -> Call:
    def call(client: httpx.Client, ada: Person) -> httpx.Response:
        email = f"boss@{ada.email.partition('@')[2]}"
        found = client.post(f"{API}/auth/login", json={"email": email, "password": PASSWORD})
        headers = {"Authorization": f"Bearer {found.json()['data']['access_token']}"}
        return client.request(method, API + path.format(ada=ada.id), json=body, headers=headers)

    return call


CALLS: dict[str, Call] = {
    "sign_up": lambda client, _: client.post(f"{API}/auth/signup", json=NEW_PERSON),
    "log_in": log_in,
    "refresh_session": with_cookie(f"{API}/auth/refresh"),
    "log_out": with_cookie(f"{API}/auth/logout"),
    "get_me": lambda client, ada: client.get(f"{API}/users/me", headers=ada.auth),
    "update_me": lambda client, ada: client.patch(
        f"{API}/users/me", json={"bio": "안녕하세요"}, headers=ada.auth
    ),
    "delete_me": lambda client, ada: client.delete(f"{API}/users/me", headers=ada.auth),
    "list_users": lambda client, ada: client.get(f"{API}/users", params={"username": "a"}),
    "get_user": lambda client, ada: client.get(f"{API}/users/{ada.id}"),
    "update_user": lambda client, ada: client.patch(
        f"{API}/users/{ada.id}", json={"bio": "안녕하세요"}, headers=ada.auth
    ),
    "delete_user": lambda client, ada: client.delete(f"{API}/users/{ada.id}", headers=ada.auth),
    "list_user_posts": list_user_posts,
    "list_posts": lambda client, ada: (get_post(client, ada), client.get(f"{API}/posts"))[1],
    "create_post": lambda client, ada: client.post(f"{API}/posts", json=POST, headers=ada.auth),
    "get_post": get_post,
    "update_post": lambda client, ada: client.patch(
        write_post(client, ada), json={"is_published": False}, headers=ada.auth
    ),
    "delete_post": lambda client, ada: client.delete(write_post(client, ada), headers=ada.auth),
    "list_comments": list_comments,
    "create_comment": write_comment,
    "get_comment": to_a_comment("GET"),
    "update_comment": to_a_comment("PATCH", COMMENT),
    "delete_comment": to_a_comment("DELETE"),
    "list_accounts": as_admin("GET", "/admin/users"),
    "block_user": as_admin("POST", "/admin/users/{ada}/block", {"reason": "advertising"}),
    "unblock_user": as_admin("POST", "/admin/users/{ada}/unblock"),
    "change_role": as_admin("PUT", "/admin/users/{ada}/role", {"role": "moderator"}),
    "list_audit_logs": as_admin("GET", "/admin/audit-logs"),
    "list_api_keys": lambda client, ada: client.get(f"{API}/api-keys", headers=ada.auth),
    "create_api_key": make_key,
    "delete_api_key": lambda client, ada: client.delete(
        f"{API}/api-keys/{make_key(client, ada).json()['data']['id']}", headers=ada.auth
    ),
    "get_limits": lambda client, ada: client.get(f"{API}/limits", headers=ada.auth),
    "get_health": lambda client, _: client.get("/healthz"),
    "get_readiness": lambda client, _: client.get("/readyz"),
    "get_openapi_json": lambda client, _: client.get("/openapi.json"),
    "get_openapi_yaml": lambda client, _: client.get("/openapi.yaml"),
    "get_docs": lambda client, _: client.get("/docs"),
    "get_redoc": lambda client, _: client.get("/redoc"),
}


def test_every_operation_is_called() -> None:
    assert CALLS.keys() == CONTRACT.operations.keys()


@pytest.mark.parametrize("name", CALLS)
def test_succeeds_as_documented(name: str, client: TestClient, ada: Person, people: People) -> None:
    people("boss", role="admin")
    assert CALLS[name](client, ada).is_success


@pytest.mark.parametrize("name", CALLS)
def test_is_refused_as_documented(name: str, client: TestClient, people: People) -> None:
    operation = CONTRACT.operations[name]
    path = operation.path.replace("{id}", "01a20547-abc9-7556-b949-68714accd4b0")

    response = client.request(
        operation.method,
        path,
        params={"nobody_knows": "this"},
        headers=people("ada", role="admin").auth,
    )

    assert response.status_code == 400
    assert response.json()["error"]["details"]["nobody_knows"] == "is not known here"
