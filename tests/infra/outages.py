"""What a database can do to a service: lack a table, take no writes, have no connection left, or never answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import psycopg2
from sqlalchemy import text
from sqlalchemy.engine import make_url

from api.app import THREADS, App
from api.infra.db import db
from tests.people import behind

Query = Callable[..., list[tuple[object, ...]]]


@contextmanager
def without_tables(query: Query, *tables: str) -> Iterator[None]:
    """So that whatever needs them fails as only a bug does."""
    for table in tables:
        query(f"ALTER TABLE {table} RENAME TO {table}_away")
    try:
        yield
    finally:
        for table in tables:
            query(f"ALTER TABLE {table}_away RENAME TO {table}")


@contextmanager
def read_only(app: App, query: Query) -> Iterator[None]:
    """As it is on a standby: new connections cannot write."""
    [[name]] = query("SELECT current_database()")
    query(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    try:
        yield
    finally:
        url = make_url(app.runtime.settings.database_url).set(drivername="postgresql")
        connection = psycopg2.connect(
            url.render_as_string(hide_password=False),
            options="-c default_transaction_read_only=off",
        )
        connection.autocommit = True
        connection.cursor().execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
        connection.close()
        with app.flask.app_context():  # what it opened meanwhile cannot write ever after
            db.engine.dispose()
        behind(app.flask).dispose()


@contextmanager
def all_connections_taken(app: App) -> Iterator[None]:
    with ExitStack() as held, app.flask.app_context():
        for _ in range(THREADS):
            held.enter_context(db.engine.connect())
        yield


@contextmanager
def locked(app: App, *tables: str) -> Iterator[None]:
    """Nobody else can read or write them."""
    with app.flask.app_context(), db.engine.connect() as connection:
        connection.execute(text(f"LOCK TABLE {', '.join(tables)} IN ACCESS EXCLUSIVE MODE"))
        yield
        connection.rollback()
