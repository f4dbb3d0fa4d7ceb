"""Who was found logged in a moment ago: not asked for again, and not a moment too long."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from api.app import App
from api.infra import changes, recent
from api.infra.db import db
from api.infra.recent import Recent
from tests.auth.flows import Query
from tests.people import Person
from tests.service.plans import listening
from tests.waiting import until

ME, POSTS = "/api/v1/users/me", "/api/v1/posts"
POST = {"title": "t", "body": "b", "is_published": True}


def keep(found: Recent, session_id: UUID, user_id: UUID) -> None:
    found.keep(session_id, user_id, "user", recent.word(user_id))


def test_is_known_by_session_and_person() -> None:
    found, session_id, user_id = Recent(), uuid4(), uuid4()
    keep(found, session_id, user_id)

    assert found.role(session_id, user_id) == "user"
    assert found.role(session_id, uuid4()) is None
    assert found.role(uuid4(), user_id) is None


def test_what_changed_meanwhile_is_not_known() -> None:
    found, session_id, user_id = Recent(), uuid4(), uuid4()
    before = recent.word(user_id)
    changes.note(f"person:{user_id}")
    found.keep(session_id, user_id, "user", before)

    assert found.role(session_id, user_id) is None


def test_a_loss_of_redis_forgets_everybody() -> None:
    found, session_id, user_id = Recent(), uuid4(), uuid4()
    keep(found, session_id, user_id)
    changes.lose()

    assert found.role(session_id, user_id) is None


def test_is_known_for_less_than_a_second() -> None:
    found, session_id, user_id = Recent(), uuid4(), uuid4()
    keep(found, session_id, user_id)

    assert recent.SECONDS < 1
    until(lambda: found.role(session_id, user_id) is None)


def test_only_so_many_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "MOST", 3)
    found, user_id = Recent(), uuid4()
    sessions = [uuid4() for _ in range(4)]
    for session_id in sessions:
        keep(found, session_id, user_id)

    assert [found.role(session_id, user_id) for session_id in sessions] == [
        None,
        None,
        None,
        "user",
    ]


def test_who_is_known_costs_no_statement(app: App, client: TestClient, ada: Person) -> None:
    place = client.post(POSTS, json=POST, headers=ada.auth).headers["Location"]
    client.get(place, headers=ada.auth)
    with listening(app) as asked:
        assert client.get(place, headers=ada.auth).status_code == 200

    assert len(asked.statements) == 1


def test_a_session_that_ended_elsewhere_is_noticed_within_the_second(
    client: TestClient, ada: Person, query: Query
) -> None:
    assert client.get(ME, headers=ada.auth).status_code == 200
    query("UPDATE sessions SET ended_at = now(), end_reason = 'logout'")  # as another host does

    until(lambda: client.get(ME, headers=ada.auth).status_code == 401)


def test_who_writes_is_asked_for_each_time(client: TestClient, ada: Person, query: Query) -> None:
    assert client.get(ME, headers=ada.auth).status_code == 200
    query("UPDATE sessions SET ended_at = now(), end_reason = 'logout'")

    assert client.post(POSTS, json=POST, headers=ada.auth).status_code == 401


def test_a_connection_that_was_closed_is_not_given_out(app: App, client: TestClient) -> None:
    """A driver that met a lost server while it put a connection back has closed it."""
    with app.flask.app_context():
        engine = db.reads
    with engine.connect() as used:
        closed = used.connection.dbapi_connection
        assert closed is not None
        used.execute(text("SELECT 1"))
    closed.close()

    with engine.connect() as another:
        assert another.scalar(text("SELECT 2")) == 2


def test_a_connection_that_the_server_ended_is_not_given_out(
    client: TestClient, ada: Person, query: Query
) -> None:
    """Nobody asks the server for that: the kernel knows."""
    place = client.post(POSTS, json=POST, headers=ada.auth).headers["Location"]
    for _ in range(5):
        query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'madang' AND pid <> pg_backend_pid()"
        )
        assert client.get(place).status_code == 200
        assert client.post(POSTS, json=POST, headers=ada.auth).status_code == 201
