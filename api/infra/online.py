"""Steps of migrations that nobody notices: they hold no lock that requests wait for.

One step a migration: what could not have its lock is begun again from its first line (docs/database.md).
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

BATCH = 2_000
"""Rows that one transaction changes: some tens of milliseconds."""


def create_index(name: str, table: str, columns: str, *, unique: bool = False) -> None:
    """Make an index beside everything that goes on; half of one, from a try that was interrupted, goes first."""
    kind = "UNIQUE INDEX" if unique else "INDEX"
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")  # it waits for old transactions, and nobody waits for it
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
        op.execute(f"CREATE {kind} CONCURRENTLY {name} ON {table} ({columns})")


def backfill(table: str, assignments: str, condition: str) -> None:
    """Change the rows that meet *condition*, in the order of their ids, a transaction for each few."""
    statement = f"""
        WITH part AS (SELECT id FROM {table} WHERE id > :last AND ({condition}) ORDER BY id LIMIT {BATCH}),
        changed AS (UPDATE {table} SET {assignments} FROM part WHERE {table}.id = part.id RETURNING {table}.id)
        SELECT max(id::text) FROM changed
    """  # noqa: S608 - a migration's own words  # nosec B608
    last: str | None = "00000000-0000-0000-0000-000000000000"
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")
        while last is not None:
            last = op.get_bind().execute(text(statement), {"last": last}).scalar()


def validate(table: str, constraint: str) -> None:
    """Of a constraint that was added NOT VALID: reads the table, and only changes of its form wait."""
    op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {constraint}")
