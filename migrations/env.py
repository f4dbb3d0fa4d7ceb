"""How Alembic reaches the database: on a connection of its own, never waiting long for a lock."""

from __future__ import annotations

from alembic import context
from flask import current_app
from sqlalchemy import NullPool, create_engine

from api.infra.db import Base

LOCK_TIMEOUT = "200ms"
"""Whoever waits for a lock makes everybody behind wait: a migration gives up, and ``madang release`` tries again."""


def run() -> None:
    url = current_app.config["SQLALCHEMY_DATABASE_URI"]
    options = {"options": f"-c lock_timeout={LOCK_TIMEOUT} -c timezone=UTC"}
    engine = create_engine(url, poolclass=NullPool, connect_args=options)
    with engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            compare_type=True,
            compare_server_default=True,
            transaction_per_migration=True,
        )
        with context.begin_transaction():
            context.run_migrations()


if context.is_offline_mode():
    context.configure(dialect_name="postgresql", target_metadata=Base.metadata, literal_binds=True)
    with context.begin_transaction():
        context.execute(f"SET lock_timeout = '{LOCK_TIMEOUT}'")
        context.run_migrations()
else:
    run()
