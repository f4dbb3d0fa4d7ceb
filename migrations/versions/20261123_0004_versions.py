"""versions, for ETag and If-Match

A constant default: PostgreSQL writes no row anew.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TABLES = ("users", "posts", "comments")


def upgrade() -> None:
    for table in TABLES:
        column = sa.Column("version", sa.BigInteger(), server_default="1", nullable=False)
        op.add_column(table, column)


def downgrade() -> None:
    for table in TABLES:
        op.drop_column(table, "version")
