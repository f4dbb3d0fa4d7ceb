"""search, pages by key, administration

``posts`` is written anew for its search column, and usernames get another collation: before the first
release nobody waits for that.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

PUBLISHED = {"postgresql_where": sa.text("is_published")}
NEWEST_FIRST = [sa.text("created_at DESC"), sa.text("id DESC")]

KEEP_AUDIT_ROWS = """
CREATE FUNCTION keep_audit_logs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF OLD.created_at < nullif(current_setting('madang.audit_expiry', true), '')::timestamptz THEN
            RETURN OLD;
        END IF;
    END IF;
    RAISE EXCEPTION 'audit rows are never changed, and removed by expire_audit_logs alone'
        USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER keep_rows BEFORE UPDATE OR DELETE ON audit_logs
    FOR EACH ROW EXECUTE FUNCTION keep_audit_logs();
CREATE TRIGGER keep_table BEFORE TRUNCATE ON audit_logs
    FOR EACH STATEMENT EXECUTE FUNCTION keep_audit_logs();
"""
EXPIRE_AUDIT_ROWS = """
CREATE FUNCTION expire_audit_logs(days_kept integer) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    expiry timestamptz := now() - make_interval(days => days_kept);
    removed bigint;
BEGIN
    IF days_kept IS NULL OR days_kept < 1 THEN
        RAISE EXCEPTION 'audit rows are kept for a day at least' USING ERRCODE = 'check_violation';
    END IF;
    PERFORM set_config('madang.audit_expiry', expiry::text, true);
    DELETE FROM audit_logs WHERE created_at < expiry;
    GET DIAGNOSTICS removed = ROW_COUNT;
    PERFORM set_config('madang.audit_expiry', '', true);
    RETURN removed;
END $$;
"""


def upgrade() -> None:
    _search()
    _pages()
    _people()
    op.create_table(
        "post_totals",
        sa.Column("shard", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("published", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint("shard BETWEEN 0 AND 15", name=op.f("ck_post_totals_shard_known")),
        sa.PrimaryKeyConstraint("shard", name=op.f("pk_post_totals")),
    )
    op.execute("INSERT INTO post_totals SELECT 0, count(*) FROM posts WHERE is_published")
    op.execute(KEEP_AUDIT_ROWS)
    op.execute(EXPIRE_AUDIT_ROWS)


def _search() -> None:
    op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    op.execute(
        "ALTER TABLE posts ADD COLUMN search tsvector NOT NULL GENERATED ALWAYS AS ("
        "setweight(to_tsvector('simple', normalize(title, NFKC)), 'A') || "
        "setweight(to_tsvector('simple', normalize(body, NFKC)), 'B')) STORED"
    )
    op.create_index("ix_posts_search", "posts", ["search"], postgresql_using="gin", **PUBLISHED)
    trigrams = sa.text("((title || ' '::text) || body) gin_trgm_ops")
    op.create_index("ix_posts_trigrams", "posts", [trigrams], postgresql_using="gin", **PUBLISHED)


def _pages() -> None:
    op.create_index("ix_posts_created", "posts", NEWEST_FIRST, **PUBLISHED)
    newest = [sa.text("published_at DESC"), sa.text("id DESC")]
    op.create_index("ix_posts_author_published", "posts", ["author_id", *newest], **PUBLISHED)
    op.create_index("ix_posts_author_created", "posts", ["author_id", *NEWEST_FIRST])
    op.drop_index("ix_posts_author_id", "posts")
    op.create_index("ix_audit_logs_created", "audit_logs", NEWEST_FIRST)
    for column in ("actor_id", "action", "target_type", "target_id"):
        op.create_index(f"ix_audit_logs_{column}", "audit_logs", [column, *NEWEST_FIRST])
    op.drop_index("ix_audit_logs_created_at", "audit_logs")


def _people() -> None:
    op.drop_index("ix_users_username_prefix", "users")
    op.alter_column("users", "username", type_=sa.Text(collation="C"), existing_nullable=False)
    op.create_index("ix_users_created", "users", NEWEST_FIRST)
    op.create_index("ix_users_role", "users", ["role", *NEWEST_FIRST])
    op.create_index("ix_users_status", "users", ["status", *NEWEST_FIRST])
    op.create_index("ix_users_email_prefix", "users", [sa.text("lower(email) text_pattern_ops")])
    _end_reasons("'logout', 'token_reuse', 'blocked'")


def _end_reasons(known: str) -> None:
    op.drop_constraint("ck_sessions_end_reason_known", "sessions")
    op.create_check_constraint(
        op.f("ck_sessions_end_reason_known"), "sessions", f"end_reason IN ({known})"
    )


def downgrade() -> None:
    op.execute("DROP FUNCTION expire_audit_logs(integer)")
    op.execute("DROP TRIGGER keep_rows ON audit_logs")
    op.execute("DROP TRIGGER keep_table ON audit_logs")
    op.execute("DROP FUNCTION keep_audit_logs()")
    op.drop_table("post_totals")
    op.execute("UPDATE sessions SET end_reason = 'logout' WHERE end_reason = 'blocked'")
    _end_reasons("'logout', 'token_reuse'")
    for name in ("email_prefix", "status", "role", "created"):
        op.drop_index(f"ix_users_{name}", "users")
    op.alter_column(
        "users", "username", type_=sa.Text(collation="default"), existing_nullable=False
    )
    op.create_index(
        "ix_users_username_prefix",
        "users",
        ["username"],
        postgresql_ops={"username": "text_pattern_ops"},
    )
    op.create_index("ix_audit_logs_created_at", "audit_logs", ["created_at"])
    for name in ("target_id", "target_type", "action", "actor_id", "created"):
        op.drop_index(f"ix_audit_logs_{name}", "audit_logs")
    op.create_index("ix_posts_author_id", "posts", ["author_id"])
    for name in ("author_created", "author_published", "created", "trigrams", "search"):
        op.drop_index(f"ix_posts_{name}", "posts")
    op.drop_column("posts", "search")
