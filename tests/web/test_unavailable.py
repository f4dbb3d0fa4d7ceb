"""When PostgreSQL is gone, takes no writes, or has no connection left: 503 at once, never a 500."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from sqlalchemy.engine import make_url
from starlette.testclient import TestClient

from api.app import App
from api.infra.db import db
from api.infra.redis import REST
from api.web.contract import Operation
from tests.infra.link import Link, closed_port, link
from tests.infra.outages import Query, all_connections_taken, read_only
from tests.people import PASSWORD, Person
from tests.spec import CONTRACT
from tests.waiting import until
from tests.web.apps import app_with, client_of, serving
from tests.web.stage import BODIES

POSTS, ME, LOGIN = "/api/v1/posts", "/api/v1/users/me", "/api/v1/auth/login"
USERS = "/api/v1/users"  # never kept in the cache
POOL = 30.0
"""Seconds for which SQLAlchemy's pool makes a caller wait, if nobody tells it otherwise."""
NEEDING = [operation for operation in CONTRACT.operations.values() if not operation.is_root]


@pytest.fixture(scope="module")
def stranded(environment: dict[str, str]) -> Iterator[TestClient]:
    """The service, and no database where it is said to be."""
    nowhere = f"postgresql://nobody@127.0.0.1:{closed_port()}/x"
    with serving(environment, DATABASE_URL=nowhere, RATE_LIMIT_SCALE="100") as client:
        yield client


class TestNobodyThere:
    @pytest.mark.parametrize("operation", NEEDING, ids=lambda operation: operation.id)
    def test_every_operation_says_so(
        self, stranded: TestClient, ada: Person, operation: Operation
    ) -> None:
        """A person cannot be checked then, so nobody is let in."""
        path = operation.path.replace("{id}", str(ada.id))
        headers = ada.auth | {"X-Requested-With": "tests", "Cookie": "refresh_token=" + "x" * 43}

        response = stranded.request(
            operation.method, path, headers=headers, json=BODIES.get(operation.id)
        )

        assert response.status_code == 503
        assert response.json()["error"]["code"] == "DB_UNAVAILABLE"
        assert int(response.headers["Retry-After"]) >= 1

    def test_what_needs_none_is_as_ever(self, stranded: TestClient) -> None:
        assert stranded.get(f"{POSTS}?x").status_code == 400
        assert stranded.get(ME).status_code == 401
        assert stranded.get("/nowhere").status_code == 404
        assert stranded.get("/openapi.json").status_code == 200

    def test_the_process_lives_and_is_not_ready(self, stranded: TestClient) -> None:
        """A known trap: probes answer without Flask."""
        assert stranded.get("/healthz").status_code == 200
        ready = stranded.get("/readyz")
        assert ready.status_code == 503
        assert int(ready.headers["Retry-After"]) >= 1


class TestGoneAndBack:
    @pytest.fixture
    def wire(self, environment: dict[str, str]) -> Iterator[Link]:
        url = make_url(environment["DATABASE_URL"])
        with link(url.host or "", url.port or 5432) as found:
            yield found

    def test_the_first_request_after_it_came_back_is_answered(
        self, environment: dict[str, str], clean: None, wire: Link
    ) -> None:
        url = make_url(environment["DATABASE_URL"]).set(host="127.0.0.1", port=wire.port)
        with serving(environment, DATABASE_URL=url.render_as_string(hide_password=False)) as client:
            assert client.get(USERS).status_code == 200
            assert client.get("/readyz").status_code == 200
            wire.cut()
            assert [client.get(USERS).status_code for _ in range(3)] == [503] * 3
            wire.mend()
            assert client.get(USERS).status_code == 200
            until(lambda: client.get("/readyz").status_code == 200, 3 * REST)

    def test_what_is_kept_is_answered_meanwhile(
        self, environment: dict[str, str], clean: None, wire: Link
    ) -> None:
        url = make_url(environment["DATABASE_URL"]).set(host="127.0.0.1", port=wire.port)
        with serving(environment, DATABASE_URL=url.render_as_string(hide_password=False)) as client:
            kept = client.get(POSTS)
            wire.cut()

            assert client.get(POSTS).json() == kept.json()
            assert client.get(POSTS, params={"size": 1}).status_code == 503

    def test_killed_connections_are_replaced_unseen(self, client: TestClient, query: Query) -> None:
        client.get(USERS)
        query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
            "AND datname = current_database() AND application_name = 'madang'"
        )

        assert client.get(USERS).status_code == 200


class TestReadOnly:
    @pytest.fixture
    def reader(
        self, environment: dict[str, str], app: App, query: Query, ada: Person
    ) -> Iterator[TestClient]:
        with read_only(app, query), serving(environment) as client:
            yield client

    def test_reading_goes_on_and_writing_says_so(self, reader: TestClient, ada: Person) -> None:
        assert reader.get(POSTS).status_code == 200
        assert reader.get(ME, headers=ada.auth).status_code == 200
        for response in (
            reader.post(POSTS, json={"title": "t", "body": "b"}, headers=ada.auth),
            reader.patch(ME, json={"bio": "b"}, headers=ada.auth),
            reader.delete(ME, headers=ada.auth),
            reader.post(LOGIN, json={"email": ada.email, "password": PASSWORD}),
        ):
            assert response.status_code == 503
            assert response.json()["error"]["code"] == "DB_READ_ONLY"
            assert "Retry-After" in response.headers


class TestTooMuchAtOnce:
    def test_no_connection_left_is_told_quickly_and_over_at_once(
        self, environment: dict[str, str], clean: None
    ) -> None:
        with app_with(environment) as app, client_of(app) as client:
            with all_connections_taken(app):
                started = time.monotonic()
                response = client.get(POSTS)
                took = time.monotonic() - started
                assert client.get("/readyz").status_code == 200  # it has a connection of its own

            assert client.get(POSTS).status_code == 200
        assert response.status_code == 503
        assert response.json()["error"]["code"] == "OVERLOADED"
        assert took < POOL / 3

    def test_nothing_stays_checked_out(self, environment: dict[str, str], ada: Person) -> None:
        with app_with(environment, RATE_LIMIT_SCALE="100") as app, client_of(app) as client:
            for path in (POSTS, ME, f"{POSTS}?x", f"{POSTS}/{ada.id}", "/nowhere"):
                for _ in range(5):
                    client.get(path, headers=ada.auth)
            with app.flask.app_context():
                assert db.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
