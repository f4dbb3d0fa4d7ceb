"""Accounts for tests, written to the database as sign-up and login would have left them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from uuid import UUID

from flask import Flask
from sqlalchemy import URL, Engine, create_engine, text
from sqlalchemy.orm import Session

from api.app import App
from api.infra.db import db
from api.infra.passwords import hash_password
from api.models import LoginSession, User

LIMITS = "-c timezone=UTC -c lock_timeout=60s"
"""Who waits for a lock that long waits for a test that has gone wrong."""
PASSWORD = "correct horse 배터리 staple"


@dataclass(frozen=True)
class Person:
    id: UUID
    email: str
    username: str
    session_id: UUID
    token: str

    @property
    def auth(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


class People:
    """Makes a person by name, logged in."""

    def __init__(self, app: App) -> None:
        self.app = app

    def __call__(self, name: str, *, role: str = "user", status: str = "active") -> Person:
        with self.app.flask.app_context():
            user = User(
                email=f"{name}@example.com",
                username=name,
                password_hash=_hash(),
                role=role,
                status=status,
            )
            login = _log_in(db.session(), user)
            token = self.app.runtime.tokens.issue(user.id, login.id)
            return Person(user.id, user.email, user.username, login.id, token)


def _log_in(session: Session, user: User) -> LoginSession:
    session.add(user)
    session.flush()
    login = LoginSession(user_id=user.id)
    session.add(login)
    session.commit()
    return login


@cache
def _hash() -> str:
    return hash_password(PASSWORD)


def sql(flask: Flask, statement: str, **values: object) -> list[tuple[object, ...]]:
    """Run a statement on the test database and commit it; its rows, if it has any."""
    with behind(flask).begin() as connection:
        result = connection.execute(text(statement), values)
        return [tuple(row) for row in result] if result.returns_rows else []


def behind(flask: Flask) -> Engine:
    """The database without the service's limits: what a test prepares may take its time."""
    return _engine(flask.config["SQLALCHEMY_DATABASE_URI"])


@cache
def _engine(url: URL | str) -> Engine:
    return create_engine(url, pool_pre_ping=True, connect_args={"options": LIMITS})
