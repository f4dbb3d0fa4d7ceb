"""Everything that leaves an audit row, done by a small cast."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx
from starlette.testclient import TestClient

from tests.admin.acts import block, change_role, unblock
from tests.auth.flows import begin, go_on, log_in, log_out, refresh, sign_up
from tests.people import People, Person

API = "/api/v1"
POST = {"title": "t", "body": "b", "is_published": True}
WRONG = "not the password, but secret"


@dataclass(frozen=True)
class Cast:
    """Ada wrote a post; Bob and the moderator Mo commented on it."""

    client: TestClient
    boss: Person
    mo: Person
    ada: Person
    bob: Person
    post: str
    comment: str

    def id_of(self, name: str | None) -> str | None:
        """Of a person, or of the thing behind a URL of ours."""
        found = getattr(self, name) if name else None
        if isinstance(found, str):
            return found.rpartition("/")[2]
        return str(found.id) if found else None


Step = Callable[[Cast], httpx.Response]


def assemble(client: TestClient, people: People) -> Cast:
    boss, mo = people("boss", role="admin"), people("mo_mo", role="moderator")
    ada, bob = people("ada"), people("bob")
    post = client.post(f"{API}/posts", json=POST, headers=ada.auth).headers["Location"]
    comments = [
        client.post(f"{post}/comments", json={"body": "b"}, headers=who.auth) for who in (bob, mo)
    ]
    return Cast(client, boss, mo, ada, bob, post, comments[0].headers["Location"])


def remove(cast: Cast, who: str, what: str) -> httpx.Response:
    person: Person = getattr(cast, who)
    url = f"{API}/users/{cast.id_of(what)}" if what in ("ada", "bob") else getattr(cast, what)
    return cast.client.delete(url, headers=person.auth)


def update(cast: Cast, who: str) -> httpx.Response:
    person: Person = getattr(cast, who)
    body = {"username": "ada_l", "bio": "words"}
    return cast.client.patch(f"{API}/users/{cast.ada.id}", json=body, headers=person.auth)


def fail(cast: Cast, times: int = 1) -> httpx.Response:
    return [log_in(cast.client, cast.ada.email, WRONG) for _ in range(times)][-1]


def succeed_after(cast: Cast, failures: int) -> httpx.Response:
    fail(cast, failures)
    return log_in(cast.client, cast.ada.email)


def reuse(cast: Cast) -> httpx.Response:
    first = begin(cast.client, cast.ada.email)
    second = go_on(cast.client, first.refresh)
    go_on(cast.client, second.refresh)
    return refresh(cast.client, first.refresh)


def leave(cast: Cast) -> httpx.Response:
    return log_out(cast.client, begin(cast.client, cast.ada.email).refresh)


@dataclass(frozen=True)
class Row:
    """*actor* and *target* are names in the cast; ``new`` is whom the answer shows."""

    action: str
    actor: str | None
    target: tuple[str, str] | None
    details: dict[str, Any]


ADA = ("user", "ada")
TOUR: dict[str, tuple[Step, list[Row]]] = {
    "signs up": (
        lambda cast: sign_up(cast.client, "newcomer"),
        [Row("user_created", None, ("user", "new"), {"role": "user"})],
    ),
    "logs in": (
        lambda cast: log_in(cast.client, cast.ada.email),
        [Row("authn_login_success", "ada", ADA, {})],
    ),
    "logs in after failures": (
        partial(succeed_after, failures=2),
        [Row("authn_login_successafterfail", "ada", ADA, {"failures": 2})],
    ),
    "fails to log in": (fail, [Row("authn_login_fail", None, ADA, {})]),
    "fails to log in as nobody": (
        lambda cast: log_in(cast.client, "nobody@example.com", WRONG),
        [Row("authn_login_fail", None, None, {})],
    ),
    "fails too often": (
        partial(fail, times=5),
        [Row("authn_login_fail", None, ADA, {}), Row("authn_login_lock", None, ADA, {})],
    ),
    "uses a token again": (reuse, [Row("authn_token_reuse", None, ADA, {})]),
    "logs out": (leave, [Row("authn_token_revoked", None, ADA, {})]),
    "changes somebody": (
        partial(update, who="boss"),
        [Row("user_updated", "boss", ADA, {"fields": ["bio", "username"]})],
    ),
    "deletes oneself": (
        partial(remove, who="ada", what="ada"),
        [Row("user_deleted", "ada", ADA, {})],
    ),
    "deletes somebody": (
        partial(remove, who="boss", what="ada"),
        [Row("user_deleted", "boss", ADA, {})],
    ),
    "removes a post": (
        partial(remove, who="mo", what="post"),
        [Row("sensitive_delete", "mo", ("post", "post"), {})],
    ),
    "removes a comment": (
        partial(remove, who="mo", what="comment"),
        [Row("sensitive_delete", "mo", ("comment", "comment"), {})],
    ),
    "removes a comment under one's post": (
        partial(remove, who="ada", what="comment"),
        [Row("sensitive_delete", "ada", ("comment", "comment"), {})],
    ),
    "blocks": (
        lambda cast: block(cast.client, cast.boss, cast.ada.id),
        [
            Row(
                "authz_admin",
                "boss",
                ADA,
                {"event": "block", "reason": "Posts advertising again and again"},
            )
        ],
    ),
    "unblocks": (
        lambda cast: [act(cast.client, cast.boss, cast.ada.id) for act in (block, unblock)][-1],
        [Row("authz_admin", "boss", ADA, {"event": "unblock"})],
    ),
    "changes a role": (
        lambda cast: change_role(cast.client, cast.boss, cast.ada.id, "moderator"),
        [Row("authz_change", "boss", ADA, {"from": "user", "to": "moderator"})],
    ),
    "blocks oneself": (
        lambda cast: block(cast.client, cast.boss, cast.boss.id),
        [Row("authz_fail", "boss", ("user", "boss"), {})],
    ),
    "gives one's role away": (
        lambda cast: change_role(cast.client, cast.boss, cast.boss.id, "user"),
        [Row("authz_fail", "boss", ("user", "boss"), {})],
    ),
}
"""What is done, and the rows that its last request leaves."""

SILENT: dict[str, Step] = {
    "changes oneself": partial(update, who="ada"),
    "removes one's own post": partial(remove, who="ada", what="post"),
    "removes one's own comment": partial(remove, who="bob", what="comment"),
    "reads as an administrator": lambda cast: cast.client.get(
        f"{API}/users/{cast.ada.id}", headers=cast.boss.auth
    ),
    "is not let in": partial(remove, who="bob", what="post"),
}
"""What leaves none."""
