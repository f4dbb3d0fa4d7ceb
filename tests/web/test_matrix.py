"""Who may do what to which: every operation of the contract, every kind of caller, things in every state.

The roles come from the contract; what its words say of owners stands in ``MAY`` once more, so that code
and test can disagree.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx
import pytest
from starlette.testclient import TestClient

from api.app import App
from api.infra.actor import RANK
from api.web.contract import Operation
from tests.people import People
from tests.spec import CONTRACT
from tests.web.stage import ACTORS, BODIES, Stage, Thing, set_up

Query = Callable[..., list[tuple[object, ...]]]

MAY: dict[str, set[str]] = {
    "update_user": {"owner", "admin"},
    "delete_user": {"owner", "admin"},
    "update_post": {"owner"},
    "delete_post": {"owner", "moderator", "admin"},
    "update_comment": {"owner"},
    "delete_comment": {"owner", "post_owner", "moderator", "admin"},
}
"""Of operations on a thing that not everybody with the role may do."""
COOKIE_DECIDES = {"refresh_session", "log_out"}
"""They answer 401 without their cookie, whoever asks."""
CASES = [
    pytest.param(operation, actor, id=f"{operation.id}-{actor}")
    for operation in CONTRACT.operations.values()
    for actor in ACTORS
]
ALL_ROWS = """
    SELECT 'u' || u::text FROM users u UNION ALL SELECT 'p' || p::text FROM posts p
    UNION ALL SELECT 'k' || (k.id)::text FROM api_keys k UNION ALL SELECT 'c' || c::text FROM comments c ORDER BY 1
"""


@pytest.fixture
def stage(app: App, people: People) -> Stage:
    return set_up(app, people)


@pytest.mark.parametrize(("operation", "actor"), CASES)
def test_what_the_contract_says_is_what_happens(
    client: TestClient, stage: Stage, query: Query, operation: Operation, actor: str
) -> None:
    for state, thing in things(operation, stage).items():
        before = query(ALL_ROWS)

        response = call(client, operation, thing, stage.headers[actor])

        expected = wanted(operation, actor, thing)
        assert response.status_code == expected, f"{state}: {response.text}"
        if expected >= 400:
            assert query(ALL_ROWS) == before, f"{state}: refused, and yet something changed"


@pytest.mark.parametrize("actor", ACTORS)
@pytest.mark.parametrize("params", [{}, {"is_published": "false"}, {"q": "find"}, {"q": "draft"}])
def test_drafts_are_listed_for_their_author_alone(
    client: TestClient, stage: Stage, actor: str, params: dict[str, str]
) -> None:
    draft, author = stage.posts["draft"], stage.users["person"]
    for more in ({}, {"is_published": "false"}, {"author_id": str(author.id)}):
        response = client.get("/api/v1/posts", params=params | more, headers=stage.headers[actor])
        if ACTORS[actor] is None:
            assert response.status_code == 401
            continue
        found = {post["id"] for post in response.json()["data"]["items"]}
        asked = (params | more).get("is_published") == "false"
        assert (str(draft.id) in found) == (asked and actor == "author")

    of_author = client.get(f"/api/v1/users/{author.id}/posts", headers=stage.headers[actor])
    assert str(draft.id) not in of_author.text


def test_the_matrix_has_every_outcome(stage: Stage) -> None:
    outcomes = [
        wanted(operation, actor, thing)
        for operation in CONTRACT.operations.values()
        for actor in ACTORS
        for thing in things(operation, stage).values()
    ]

    assert all(outcomes.count(status) > 10 for status in (200, 204, 401, 403, 404))


def things(operation: Operation, stage: Stage) -> dict[str, Thing | None]:
    """What the operation can be tried on, by its state."""
    if "{id}" not in operation.path:
        return {"nothing": None}
    [kind] = re.findall(r"/(posts|comments|users|api-keys)/\{id\}", operation.path)
    kinds = {"posts": stage.posts, "comments": stage.comments, "users": stage.users}
    return dict((kinds | {"api-keys": stage.keys})[kind])


def call(
    client: TestClient, operation: Operation, thing: Thing | None, headers: dict[str, str]
) -> httpx.Response:
    path = operation.path.replace("{id}", str(thing.id) if thing else "")
    return client.request(operation.method, path, headers=headers, json=BODIES.get(operation.id))


def wanted(operation: Operation, actor: str, thing: Thing | None) -> int:
    role, needed = ACTORS[actor], operation.policy.role
    if operation.is_root:
        return 200
    if role is None or operation.id in COOKIE_DECIDES:
        return 401
    if RANK[role] < RANK[needed]:
        return 401 if role == "anyone" else 403
    if thing is not None and thing.sees is not None and actor not in thing.sees:
        return 404
    if (
        thing is not None
        and operation.id in MAY
        and not relations(actor, thing) & MAY[operation.id]
    ):
        return 403
    return success(operation)


def relations(actor: str, thing: Thing) -> set[str]:
    own = {"owner": thing.owner, "post_owner": thing.post_owner}
    return {name for name, who in own.items() if who == actor} | {ACTORS[actor] or ""}


def success(operation: Operation) -> int:
    if operation.id == "log_in":
        return 401  # of somebody who does not exist
    base = CONTRACT.base_path
    item = CONTRACT.document["paths"][operation.path.removeprefix(base)]
    return next(int(s) for s in item[operation.method.lower()]["responses"] if s[0] == "2")
