"""What a release does before the new code serves: migrate, and see to a first administrator."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask_migrate import upgrade
from sqlalchemy import Connection, Engine, NullPool, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from api.commands import add_person, migrations
from api.config import Settings
from api.infra.db import db
from api.infra.db_errors import sqlstate
from api.users import service as users

LOCK = 0x4D414441
"""Of PostgreSQL's advisory locks, the one for releases ("MADA")."""
LOCKED = "55P03"
TRIES = 120
"""Some two minutes: longer than a transaction that is in the way should live."""


def release(settings: Settings) -> Iterator[str]:
    """Yields a line for each thing done. Hosts that release at once wait for each other."""
    with _lock(settings.database_url) as connection:
        if newer := _unknown(connection):
            yield f"The schema ({newer}) is newer than this version and is left as it is."
        else:
            _migrate()
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


def _unknown(connection: Connection) -> str:
    """Revisions of the schema that this code has no migration for: a later release made them, for us to run on too."""
    known = {each.revision for each in ScriptDirectory(str(migrations.MIGRATIONS)).walk_revisions()}
    heads = MigrationContext.configure(connection).get_current_heads()
    return ", ".join(sorted(set(heads) - known))


def _migrate() -> None:
    """Each migration is a transaction of its own, so one that could not have its lock is begun again."""
    for left in reversed(range(TRIES)):
        try:
            upgrade()
        except OperationalError as err:
            if sqlstate(err) != LOCKED or not left:
                raise
            time.sleep(random.uniform(0.5, 1.5))  # noqa: S311 - lets others have their turn  # nosec B311
        else:
            return


@contextmanager
def _lock(url: str) -> Iterator[Connection]:
    engine = unhurried(url)
    # Without a transaction, for which an index that is made concurrently would wait.
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": LOCK})
        yield connection
    engine.dispose()


def unhurried(url: str) -> Engine:
    """One connection without the time limits of requests; closing it frees the lock."""
    return create_engine(make_url(url).set(drivername="postgresql+psycopg2"), poolclass=NullPool)
