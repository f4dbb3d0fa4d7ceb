"""What a release does before the new code serves: migrate, and see to a first administrator."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flask_migrate import upgrade
from sqlalchemy import Engine, NullPool, create_engine, text
from sqlalchemy.engine import make_url

from api.commands import add_person
from api.config import Settings
from api.infra.db import db
from api.users import service as users

LOCK = 0x4D414441
"""Of PostgreSQL's advisory locks, the one for releases ("MADA")."""


def release(settings: Settings) -> Iterator[str]:
    """Yields a line for each thing done. Hosts that release at once wait for each other."""
    with _lock(settings.database_url):
        upgrade()
        yield "The database is up to date."
        if not (settings.admin_email and settings.admin_password):
            return
        if users.any_admin(db.session()):
            yield "There is an administrator already."
            return
        name = settings.admin_email.partition("@")[0].lower()
        username = "".join(c if c.isalnum() and c.isascii() else "_" for c in name)[:24]
        body = {
            "email": settings.admin_email,
            "username": f"{username}_admin"[-30:],
            "password": settings.admin_password,
        }
        add_person(body, role="admin")
        yield f"Made the first administrator: {body['username']}."


@contextmanager
def _lock(url: str) -> Iterator[None]:
    engine = unhurried(url)
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": LOCK})
        yield
    engine.dispose()


def unhurried(url: str) -> Engine:
    """One connection without the time limits of requests; closing it frees the lock."""
    return create_engine(make_url(url).set(drivername="postgresql+psycopg2"), poolclass=NullPool)
