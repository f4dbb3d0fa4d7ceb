"""What no request can bring about, because the contract or the session check comes first."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from api.app import App
from api.errors import TokenInvalid
from api.infra.actor import Actor, Role, anonymous
from api.infra.db import db
from api.users import queries, service
from tests.people import PASSWORD, People

NOBODY = anonymous("local", "test")
GONE = Actor(
    user_id=uuid4(),
    role="user",
    session_id=uuid4(),
    scopes=frozenset(),
    ip="local",
    request_id="test",
)
"""Somebody whose account went after the session was found alive."""


@pytest.fixture
def session(app: App, clean: None) -> Iterator[Session]:
    with app.flask.app_context():
        yield db.session()
        db.session.rollback()


def test_who_is_gone_can_do_nothing(session: Session) -> None:
    with pytest.raises(TokenInvalid):
        service.myself(session, GONE)
    with pytest.raises(TokenInvalid):
        service.update(session, GONE, user_id=GONE.person, changes={"bio": "x"})
    with pytest.raises(TokenInvalid):
        service.delete(session, GONE, user_id=GONE.person)


def test_whether_there_is_an_administrator(session: Session, people: People) -> None:
    people("ada")
    assert not queries.any_admin(session)

    people("root", role="admin")

    assert queries.any_admin(session)


@pytest.mark.parametrize("username", ["Hana", "ha", "h" * 31, "hana\n", "하나"])
def test_the_database_refuses_names_that_the_contract_would(
    session: Session, username: str
) -> None:
    """A12; and such a fault is no conflict with somebody else."""
    with pytest.raises(IntegrityError, match="username_form"):
        service.create(
            session, NOBODY, email="hana@example.com", username=username, password=PASSWORD
        )


@pytest.mark.parametrize("role", ["user", "moderator", "admin"])
def test_only_a_caller_in_code_gives_a_role(session: Session, role: Role) -> None:
    user = service.create(
        session, NOBODY, email="h@example.com", username="hana", password=PASSWORD, role=role
    )

    assert user.role == role
    assert user.password_hash.startswith("$argon2id$")
