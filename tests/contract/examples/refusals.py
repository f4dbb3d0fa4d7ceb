"""For each refusal that the contract shows an example of: what to change in a good request to get it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import uuid4

import httpx
from sqlalchemy import text

from api.commands.seed_contract import PEOPLE, key_of
from api.infra import api_keys
from api.infra.db import db
from tests.contract.examples.world import UNKNOWN_COOKIE, Ask, World
from tests.people import sql
from tests.web.stage import expired

Recipe = Callable[[World, Ask], httpx.Response]
NOBODY = "0197f2c0-0000-7c3b-9d52-6f1e8a0b4c7d"
FAULTY = {
    "sign_up": {"email": "jiho@example.com", "username": "Jiho Park", "password": "short"},
    "log_in": {"email": "hana@example.com"},
    "create_post": {"title": "t" * 201, "body": "b"},
    "create_comment": {"body": "b" * 5001},
    "update_comment": {"body": "b" * 5001},
    "update_post": {"author": "minjun"},
    "update_me": {"role": "admin"},
    "update_user": {"role": "admin"},
    "block_user": {},
    "change_role": {"role": "owner"},
    "create_api_key": {"name": "nightly import", "scopes": ["all"]},
}


def with_parameters(**params: str) -> Recipe:
    def recipe(world: World, ask: Ask) -> httpx.Response:
        ask.params |= params
        return world.send(ask)

    return recipe


def with_headers(headers: dict[str, str]) -> Recipe:
    def recipe(world: World, ask: Ask) -> httpx.Response:
        ask.headers |= headers
        return world.send(ask)

    return recipe


def with_content(content: bytes, media_type: str) -> Recipe:
    def recipe(world: World, ask: Ask) -> httpx.Response:
        ask.content = content
        ask.headers["Content-Type"] = media_type
        return world.send(ask)

    return recipe


def with_path_id(value: str) -> Recipe:
    def recipe(world: World, ask: Ask) -> httpx.Response:
        ask.path = ask.operation.path.replace("{id}", value)
        return world.send(ask)

    return recipe


def faulty_body(world: World, ask: Ask) -> httpx.Response:
    ask.json = FAULTY.get(ask.operation.id, {"nobody": "asked for this"})
    return world.send(ask)


def anonymous(world: World, ask: Ask) -> httpx.Response:
    ask.who = None
    return world.send(ask)


def token_expired(world: World, ask: Ask) -> httpx.Response:
    ask.headers["Authorization"] = f"Bearer {expired(world.token('member'))}"
    return world.send(ask)


def wrong_password(world: World, ask: Ask) -> httpx.Response:
    ask.json["password"] = "five quiet magpies"
    return world.send(ask)


def forbidden(world: World, ask: Ask) -> httpx.Response:
    """A key without the scope; where no key opens the door, somebody who may not."""
    scope = ask.operation.policy.scope
    if scope is None:
        ask.who = "stranger"
        return world.send(ask)
    with only_scope(world, "read" if scope == "write" else "write"):
        ask.headers["X-API-Key"] = key_of("member")
        return world.send(ask)


@contextmanager
def only_scope(world: World, scope: str) -> Iterator[None]:
    change = "UPDATE api_keys SET scopes = cast(:scopes AS text[])"
    sql(world.app.flask, change, scopes=[scope])
    yield
    sql(world.app.flask, change, scopes=["read", "write"])


def taken(**values: str) -> Recipe:
    def recipe(world: World, ask: Ask) -> httpx.Response:
        ask.json |= values
        return world.send(ask)

    return recipe


def of_the_admin(world: World, ask: Ask) -> httpx.Response:
    """Their own account."""
    ask.who = "admin"
    ask.path = ask.operation.path.replace("{id}", str(PEOPLE["admin"].id))
    return world.send(ask)


def of_one_admin_of_two(world: World, ask: Ask) -> httpx.Response:
    change = "UPDATE users SET role = :role WHERE username = 'yard_helper'"
    sql(world.app.flask, change, role="admin")
    answer = of_the_admin(world, ask)
    sql(world.app.flask, change, role="moderator")
    return answer


def one_key_too_many(world: World, ask: Ask) -> httpx.Response:
    insert = (
        "INSERT INTO api_keys (id, user_id, name, hint, key_hash, scopes, expires_at) SELECT gen_random_uuid(), :who,"
        " 'spare', 'spare', sha256(n::text::bytea), '{read}', now() + interval '1 day' FROM generate_series(1, 20) n"
    )
    sql(world.app.flask, insert, who=PEOPLE["member"].id)
    answer = world.send(ask)
    sql(world.app.flask, "DELETE FROM api_keys WHERE name = 'spare'")
    return answer


def in_progress(world: World, ask: Ask) -> httpx.Response:
    """The same request is under way; of a refresh, it has just been answered."""
    if ask.operation.id == "refresh_session":
        ask.headers["Cookie"] = f"refresh_token={world.refresh_token()}"
        world.send(ask)
        return world.send(ask)
    key = str(uuid4())
    ask.headers["Idempotency-Key"] = key
    with under_way(world, ask.who or "", key):
        return world.send(ask)


@contextmanager
def under_way(world: World, who: str, key: str) -> Iterator[None]:
    claim = "INSERT INTO idempotency_keys (user_id, key, request_hash) VALUES (:who, :key, :hash)"
    with world.app.flask.app_context(), db.engine.connect() as other:
        values = {"who": PEOPLE[who].id, "key": key, "hash": bytes(32)}
        other.execute(text(claim), values)
        yield
        other.rollback()


def key_reused(world: World, ask: Ask) -> httpx.Response:
    ask.headers["Idempotency-Key"] = str(uuid4())
    world.send(ask)
    ask.json |= {"name": "another"} if "name" in ask.json else {"body": "another"}
    return world.send(ask)


RECIPES: dict[str, Recipe] = {
    "unknown_parameter": with_parameters(debug="true"),
    "out_of_range": with_parameters(size="101"),
    "cursor_unknown": with_parameters(cursor="bm9ib2R5IGtub3dzIHRoaXM"),
    "id": with_path_id("7"),
    "not_found": with_path_id(NOBODY),
    **dict.fromkeys(("author", "body", "field", "fields", "missing", "title"), faulty_body),
    "no_token": anonymous,
    "invalid": with_headers({"Authorization": "Bearer nonsense"}),
    "invalid_token": with_headers({"Authorization": "Bearer nonsense"}),
    "expired": token_expired,
    "api_key": with_headers({"X-API-Key": f"{api_keys.PREFIX}{'0' * 41}AA"}),
    "credentials": wrong_password,
    "session": with_headers(UNKNOWN_COOKIE),
    "forbidden": forbidden,
    "foreign": with_headers({"X-Requested-With": ""}),
    **dict.fromkeys(("xml", "xml_page", "xml_yaml"), with_headers({"Accept": "application/xml"})),
    "email": taken(email="hana@example.com"),
    "username": taken(username="minjun"),
    "password": taken(password="password1"),
    "last_admin": of_the_admin,
    "on_oneself": of_one_admin_of_two,
    "too_many": one_key_too_many,
    "in_progress": in_progress,
    "changed": with_headers({"If-Match": '"0-00000000"'}),
    "too_large": with_content(b'"' + b"x" * 65536 + b'"', "application/json"),
    "form": with_content(b"a=b", "application/x-www-form-urlencoded"),
    "reused": key_reused,
}
"""By the name of the example."""
