"""What SQLAlchemy has compiled once it knows again: putting a statement's text together takes longer than asking it."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine.interfaces import CacheStats
from starlette.testclient import TestClient

from api.app import App
from api.infra.db import db
from tests.contract.test_every_operation import CALLS, POST
from tests.people import People, Person
from tests.spec import CONTRACT

AGAIN = {CacheStats.NO_CACHE_KEY, CacheStats.NO_DIALECT_SUPPORT, CacheStats.CACHING_DISABLED}


@pytest.fixture
def compiled_anew(app: App) -> Any:
    """The texts of statements that no cache can know, such as SQLAlchemy's own ``ON CONFLICT``."""
    found: list[str] = []

    def note(_conn: Any, _cursor: Any, sql: str, _values: Any, context: Any, _many: bool) -> None:
        if context.compiled is not None and context.cache_hit in AGAIN:
            found.append(sql)

    with app.flask.app_context():
        engine = db.reads
    event.listen(engine, "before_cursor_execute", note)
    yield found
    event.remove(engine, "before_cursor_execute", note)


@pytest.mark.parametrize("name", [n for n, o in CONTRACT.operations.items() if not o.is_root])
def test_no_operation_has_a_statement_compiled_each_time(
    name: str, client: TestClient, ada: Person, people: People, compiled_anew: list[str]
) -> None:
    people("boss", role="admin")
    compiled_anew.clear()

    CALLS[name](client, ada)

    assert compiled_anew == []


@pytest.mark.parametrize(
    "query",
    [
        "q=yard",
        "q=yard&sort=relevance&cursor=",
        "sort=created_at&page=2",
        "cursor=&created_after=2026-01-01T00:00:00Z",
        "created_before=2099-01-01T00:00:00Z&author_id={ada}",
        "is_published=false",
    ],
)
def test_nor_has_a_list_in_another_form(
    client: TestClient, ada: Person, compiled_anew: list[str], query: str
) -> None:
    CALLS["create_post"](client, ada)
    compiled_anew.clear()

    path = f"/api/v1/posts?{query.format(ada=ada.id)}"
    assert client.get(path, headers=ada.auth).status_code == 200

    assert compiled_anew == []


def test_nor_has_what_may_be_repeated(
    client: TestClient, ada: Person, compiled_anew: list[str]
) -> None:
    headers = ada.auth | {"Idempotency-Key": "a-key"}

    for _ in range(2):
        assert client.post("/api/v1/posts", json=POST, headers=headers).status_code == 201

    assert compiled_anew == []
