"""The bridge answers as Connexion's own parts do, which it stands in for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.config import Settings
from api.infra.db import db
from tests.contract.test_every_operation import CALLS, write_post
from tests.memory import remembers_hits
from tests.people import People, Person
from tests.web.apps import client_of
from tests.web.stage import BODIES

API = "/api/v1"


@pytest.fixture(scope="module")
def transport_of_stock(environment: dict[str, str]) -> Iterator[TestClient]:
    app = remembers_hits(create_app(Settings.from_env(environment), stock=True))
    with client_of(app) as client:
        yield client
    with app.flask.app_context():
        db.engine.dispose()


@pytest.fixture
def stock(transport_of_stock: TestClient, clean: None) -> TestClient:
    transport_of_stock.cookies.clear()
    return transport_of_stock


@pytest.mark.parametrize("name", CALLS)
def test_the_stock_parts_still_serve(
    name: str, stock: TestClient, ada: Person, people: People
) -> None:
    """So that there is a way back; each answer is held against the contract."""
    people("boss", role="admin")
    assert CALLS[name](stock, ada).is_success


@pytest.mark.parametrize(
    "path",
    [
        "{post}",
        "/api/v1/posts?size=1&page=1",
        "/api/v1/posts?cursor=&sort=created_at&size=1",
        "/api/v1/posts?is_published=false",
        "/api/v1/posts?q=%EA%BD%83&created_after=2020-01-01T00%3A00%3A00%2B09%3A00",
        "/api/v1/users?username=a",
        "/api/v1/users/{ada}/posts",
        "{post}/comments?page=2",
    ],
)
def test_both_read_alike(client: TestClient, stock: TestClient, ada: Person, path: str) -> None:
    place = write_post(client, ada)
    whole = path.format(post=place, ada=ada.id)

    one, two = (each.get(whole, headers=ada.auth) for each in (client, stock))

    assert one.status_code == two.status_code == 200
    assert one.json() == two.json()
    assert one.headers.keys() == two.headers.keys()


FAULTY: dict[str, dict[str, Any]] = {
    "an unknown key": {"json": BODIES["create_post"] | {"x": 1}},
    "another type": {"json": {"title": 1, "body": None, "is_published": "yes"}},
    "no body": {},
    "no object": {"json": []},
    "no JSON": {"content": b"{", "headers": {"Content-Type": "application/json"}},
    "another media type": {"content": b"{}", "headers": {"Content-Type": "text/plain"}},
    "a parameter": {"json": BODIES["create_post"], "params": {"x": "1"}},
    "a bad key": {"json": BODIES["create_post"], "headers": {"Idempotency-Key": "no spaces here"}},
}


@pytest.mark.parametrize("fault", FAULTY)
def test_both_refuse_alike(client: TestClient, stock: TestClient, ada: Person, fault: str) -> None:
    given = FAULTY[fault] | {"headers": FAULTY[fault].get("headers", {}) | ada.auth}

    one, two = (each.post(f"{API}/posts", **given) for each in (client, stock))

    assert one.status_code == two.status_code
    assert one.status_code in (400, 415)
    assert told(one) == told(two)


@pytest.mark.parametrize(
    "path", ["/posts?page=0", "/posts?page=x&size=101", "/posts/nobody", "/posts?is_published=1"]
)
def test_both_refuse_parameters_alike(client: TestClient, stock: TestClient, path: str) -> None:
    one, two = (each.get(API + path) for each in (client, stock))

    assert one.status_code == two.status_code == 400
    assert told(one) == told(two)


def told(answer: Any) -> dict[str, Any]:
    found: dict[str, Any] = answer.json()["error"]
    assert found.pop("request_id")
    return found
