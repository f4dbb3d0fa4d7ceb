"""Short pending lists

Each search reads what was written since the list of its index was last worked in, by default up to 4 MB; and the
write that fills the list works all of it in. docs/database.md tells more.
"""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

INDEXES = ("ix_posts_search", "ix_posts_trigrams")


def upgrade() -> None:
    for index in INDEXES:
        op.execute(f"ALTER INDEX {index} SET (gin_pending_list_limit = 512)")


def downgrade() -> None:
    for index in INDEXES:
        op.execute(f"ALTER INDEX {index} RESET (gin_pending_list_limit)")
