"""With 100,000 posts, no request reads a table from end to end, and no list asks row by row."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner
from redis import Redis
from sqlalchemy import Connection
from starlette.testclient import TestClient

from api.app import THREADS, App
from api.cli import main
from api.infra.db import db
from tests.memory import forget_all
from tests.people import People, Person, sql
from tests.service.plans import Plan, kept, listening
from tests.spec import CONTRACT, operation_of

pytestmark = pytest.mark.slow

API = CONTRACT.base_path
PAGE = Path(__file__).resolve().parents[2] / "docs" / "query-plans.md"
ALLOWED = {"post_totals": "has sixteen rows, and all of them are added up"}
"""Tables that may be read from end to end, and why."""
BOUNDED = re.compile(
    r"SELECT count\(\*\) AS \w+(, CASE .* END AS \w+)? \nFROM \(SELECT (1|posts\.id AS id) .* LIMIT "
    r"|WITH found_0 AS MATERIALIZED ",
    re.DOTALL,
)
"""A count that stops at 10,000, or at 1,000 hits. Of what few posts have it may read many, once."""
MOST_STATEMENTS = 5
SIGNED_IN = """
INSERT INTO sessions (id, user_id) SELECT gen_random_uuid(), id FROM users;
INSERT INTO audit_logs (id, action, actor_id, target_type, target_id, ip, request_id, created_at)
SELECT gen_random_uuid(),
    (ARRAY['authn_login_success', 'authn_login_fail', 'user_created', 'authz_admin'])[1 + n % 4],
    u.id, 'user', u.id, '192.0.2.1', 'request', now() - n * interval '1 minute'
FROM users u, generate_series(1, 5) n;
INSERT INTO api_keys (id, user_id, name, hint, key_hash, scopes, expires_at)
SELECT gen_random_uuid(), id, 'a key', 'madang_0000', sha256(id::text::bytea), '{read}', now() FROM users;
ANALYZE
"""
TIMES = "created_after=2025-01-01T00:00:00Z&created_before=2025-06-01T00:00:00Z"
POSTS = f"""
size=1 size=100 size=100&page=100 cursor= sort=published_at&page=50 sort=created_at
sort=-created_at&cursor= sort=created_at&cursor= {TIMES} {TIMES}&sort=-created_at
created_before=2024-01-01T00:00:00Z created_after=2026-06-01T00:00:00Z&page=20
q=nothing_is_called_so q=서울 q=울 q=yard q=garden+-rain q=Bababaton+서울 q="in+the" q=-yard
q=a+b+c q=ard q=서울&cursor= q=yard&sort=relevance q=서울&sort=relevance&cursor=
q=서울&page=20 q=서울&{TIMES} author_id={{author}} author_id={{author}}&page=3
author_id={{author}}&sort=created_at&cursor= author_id={{author}}&q=서울 is_published=true
""".split()
DRAFTS = [
    "is_published=false",
    "is_published=false&sort=created_at&cursor=",
    "is_published=false&q=서울",
]
PAGES = ["size=1", "size=100", "page=2", "cursor="]


@dataclass(frozen=True)
class Yard:
    admin: Person
    author: Person
    post: str
    comment: str


@pytest.fixture(scope="module")
def yard(app: App, environment: dict[str, str], redis: Redis) -> Iterator[Yard]:
    """What ``madang seed --profile large`` makes, everybody logged in, and a long audit log."""
    empty = "TRUNCATE users, posts, comments, sessions, post_totals CASCADE"
    sql(app.flask, empty)
    forget_all(redis)
    command = ["seed", "--profile", "large", "--posts", "100000"]
    loaded = CliRunner(env=environment).invoke(main, command)
    assert loaded.exit_code == 0, loaded.output
    sql(app.flask, SIGNED_IN)
    people = People(app)
    admin, author = people("boss", role="admin"), people("writer")
    most = "ORDER BY comment_count DESC LIMIT 1"
    [[post]] = sql(app.flask, f"SELECT id FROM posts WHERE is_published {most}")
    [[comment]] = sql(app.flask, "SELECT id FROM comments WHERE post_id = :id LIMIT 1", id=post)
    prolific = "SELECT id FROM users ORDER BY post_count DESC LIMIT 1"
    # Who wrote most of all writes drafts too.
    theirs = f"UPDATE posts SET author_id = :id WHERE author_id = ({prolific})"
    sql(app.flask, theirs, id=author.id)
    sql(app.flask, "ANALYZE posts")
    yield Yard(admin, author, str(post), str(comment))
    sql(app.flask, empty)


def requests(yard: Yard) -> list[tuple[str, Person | None]]:
    """Paths of every list and every single thing, with whatever narrows them, and who asks."""
    posts = [f"/posts?{query.format(author=yard.author.id)}" for query in POSTS]
    anybody = [
        "/limits",
        f"/posts/{yard.post}",
        f"/comments/{yard.comment}",
        f"/users/{yard.author.id}",
    ]
    anybody += [f"/posts/{yard.post}/comments?{query}" for query in PAGES]
    anybody += [f"/users/{yard.author.id}/posts?{query}" for query in PAGES]
    anybody += [
        f"/users?{query}" for query in [*PAGES, "username=demo_1&page=2", "username=demo_99"]
    ]
    own = [f"/posts?{query}" for query in DRAFTS]
    filters = ["role=admin", "status=blocked", "status=active&page=3", "email=demo_12", TIMES]
    admin = [f"/admin/users?{query}" for query in [*PAGES, *filters, "role=user&cursor="]]
    target = f"target_type=user&target_id={yard.author.id}"
    acts = [
        "action=authz_admin",
        "action=authz_admin&cursor=",
        target,
        f"actor_id={yard.author.id}",
    ]
    admin += [f"/admin/audit-logs?{query}" for query in [*PAGES, *acts, TIMES]]
    return [
        *((path, None) for path in posts + anybody),
        *((path, yard.author) for path in [*own, "/users/me", "/api-keys", "/api-keys?cursor="]),
        *((path, yard.admin) for path in admin),
    ]


def ask(client: TestClient, path: str, who: Person | None) -> dict[str, object]:
    answer = client.get(API + path, headers=who.auth if who else {})
    assert answer.status_code == 200, f"{path}: {answer.text}"
    data: dict[str, object] = answer.json()["data"]
    return data


@pytest.fixture
def connection(app: App) -> Iterator[Connection]:
    with app.flask.app_context(), db.engine.connect() as found:
        yield found


def plans_of(
    app: App, transport: TestClient, redis: Redis, connection: Connection, yard: Yard
) -> dict[str, list[Plan]]:
    """Of each request, and of what a walk asks next."""
    found: dict[str, list[Plan]] = {}
    for path, who in requests(yard):
        forget_all(redis)  # nothing is answered from what is kept
        with listening(app) as asked:
            data = ask(transport, path, who)
        found[path] = asked.explained(connection)
        if path.endswith("cursor=") and data["next"]:
            with listening(app) as asked:
                ask(transport, str(data["next"]).removeprefix(API), who)
            found[f"{path}, then next"] = asked.explained(connection)
    return found


def test_every_statement_finds_what_it_wants_by_an_index(
    app: App, transport: TestClient, redis: Redis, connection: Connection, yard: Yard
) -> None:
    plans = plans_of(app, transport, redis, connection, yard)

    scanned = {
        f"{path}: {table}": plan.statement
        for path, each in plans.items()
        for plan in each
        for table in plan.scans
        if table not in ALLOWED and not BOUNDED.match(plan.statement)
    }
    assert scanned == {}, "\n".join(scanned)
    if os.environ.get("WRITE_QUERY_PLANS"):
        PAGE.write_text(page(plans, yard), encoding="utf-8")


def test_what_is_prepared_finds_it_by_an_index_whatever_it_is(
    app: App, transport: TestClient, yard: Yard
) -> None:
    """One plan is for all values, and is made without them."""
    comments = f"/posts/{yard.post}/comments"
    for path in (
        f"/posts/{yard.post}",
        comments,
        f"{comments}?cursor=",
        f"/comments/{yard.comment}",
    ):
        ask(transport, path, yard.author)
    draft = {"title": "t", "body": "b"}
    assert transport.post(f"{API}/posts", json=draft, headers=yard.author.auth).status_code == 201

    with app.flask.app_context(), ExitStack() as stack:
        all_of_them = [stack.enter_context(db.engine.connect()) for _ in range(THREADS)]
        plans = {plan.statement: plan.scans for each in all_of_them for plan in kept(each)}

    assert len(plans) >= 6
    assert {table for scans in plans.values() for table in scans} <= set(ALLOWED)


@pytest.mark.parametrize(
    "narrowed",
    ["q=zebraquake", "q=zebraquake&cursor=", "q=zebraquake&page=40", "created_before={old}"],
)
def test_what_is_old_is_not_looked_for_among_all_that_is_newer(
    app: App,
    transport: TestClient,
    redis: Redis,
    connection: Connection,
    yard: Yard,
    narrowed: str,
) -> None:
    """More of it than a search counts, and all of it at the far end of the order by time."""
    oldest = "SELECT id FROM posts WHERE is_published ORDER BY published_at LIMIT 1500"
    sql(app.flask, f"UPDATE posts SET title = 'zebraquake' WHERE id IN ({oldest})")
    sql(app.flask, "ANALYZE posts")
    old = 'SELECT to_char(max(created_at), \'YYYY-MM-DD"T"HH24:MI:SS"Z"\') FROM posts'
    [[moment]] = sql(app.flask, f"{old} WHERE title = 'zebraquake'")

    with listening(app) as asked:
        ask(transport, f"/posts?{narrowed.format(old=moment)}", None)

    for plan in asked.explained(connection, run=True):
        assert plan.looked_at_in_vain < 20_000, plan.statement


def test_every_get_operation_is_asked(yard: Yard) -> None:
    asked = [operation_of("GET", API + path.partition("?")[0]) for path, _ in requests(yard)]
    gets = {
        operation.id
        for operation in CONTRACT.operations.values()
        if operation.method == "GET" and not operation.is_root
    }

    assert {operation.id for operation in asked if operation} == gets


def test_a_list_of_100_takes_as_many_statements_as_a_list_of_one(
    app: App, transport: TestClient, redis: Redis, yard: Yard
) -> None:
    for path, who in requests(yard):
        if "?" not in path or "size=" in path:
            continue
        counts = []
        for size in (1, 100):
            forget_all(redis)
            with listening(app) as asked:
                ask(transport, f"{path}&size={size}", who)
            counts.append(len(asked.statements))
        assert counts[0] == counts[1] <= MOST_STATEMENTS, path


def page(plans: dict[str, list[Plan]], yard: Yard) -> str:
    """For docs/database.md: which index answers which request."""
    names = {str(yard.author.id): "{author}", yard.post: "{post}", yard.comment: "{comment}"}
    lines = []
    for path, each in plans.items():
        shown = path
        for value, name in names.items():
            shown = shown.replace(value, name)
        for plan in each:
            used = ", ".join(f"`{name}`" for name in plan.indexes) or "(none)"
            lines.append(f"| `{shown}` | {', '.join(plan.tables)} | {used} |")
    return HEADER + "\n".join(dict.fromkeys(lines)) + "\n"


HEADER = """# Query plans

Which index the database takes for each request, with 100,000 posts of 10,000 people, one line for each
statement. Made by

    WRITE_QUERY_PLANS=1 ./scripts/test -m slow tests/service/test_plans.py

The same test fails when a table is read from end to end without a reason; nothing compares this
page with what it finds. Another version
of PostgreSQL, or other data, may choose otherwise among them.

| request | tables | indexes |
|---|---|---|
"""
