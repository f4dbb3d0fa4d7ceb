"""Posts by the hundred thousand, for benchmarks and query plans. Refused in production.

People sign up and write over the last three years. Those who came early wrote more, a few posts have most
of the comments, and nothing is older than who made it or where it stands.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, text

from api.commands.release import unhurried
from api.commands.seed import PASSWORD, refuse_in_production
from api.commands.seed_text import POOL, Text, texts
from api.config import Settings
from api.infra.cache import POSTS, cache
from api.infra.passwords import hash_password

LOCK = 0x4D414443
"""Of PostgreSQL's advisory locks, the one for this ("MADC")."""
BATCH = 100_000
"""Posts in one statement: what it sorts is not to outgrow the memory."""
POSTS_OF_A_NAME = 20
"""In both languages together."""
FIRST = "demo_1@example.com"

IS_THERE = r"SELECT 1 FROM users WHERE email LIKE 'demo\_%@example.com' LIMIT 1"
SEARCH_INDEXES = """
-- Filled row by row they take twice the time, and are larger.
SELECT indexname, indexdef FROM pg_indexes
WHERE schemaname = current_schema() AND tablename = 'posts' AND indexdef LIKE '% USING gin %'
"""
PREPARE = """
SET LOCAL maintenance_work_mem = '256MB';
SET LOCAL work_mem = '64MB';
SELECT setseed(0.2);
-- RFC 9562: 48 bits of milliseconds, and version 7 in place of 4. PostgreSQL 15 has none of its own.
CREATE FUNCTION pg_temp.uuid7(moment timestamptz) RETURNS uuid LANGUAGE sql AS $$
    SELECT encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid()) PLACING
        substring(int8send(floor(extract(epoch FROM moment) * 1000)::bigint) FROM 3)
        FROM 1 FOR 6), 52, 1), 53, 1), 'hex')::uuid
$$;
-- From three years ago (0) until now (1). In seconds: a day in summer is not always one of 24 hours.
CREATE FUNCTION pg_temp.moment(share float8) RETURNS timestamptz LANGUAGE sql AS $$
    SELECT now() - make_interval(secs => 94608000 * (1 - share))
$$;
CREATE FUNCTION pg_temp.share(moment timestamptz) RETURNS float8 LANGUAGE sql AS $$
    SELECT 1 - extract(epoch FROM now() - moment)::float8 / 94608000
$$;
CREATE TEMP TABLE seed_texts (kind text, language text, number integer, text text) ON COMMIT DROP;
"""
TEXTS = "INSERT INTO seed_texts SELECT * FROM unnest(:kind, :language, :number, :text)"
PEOPLE = """
CREATE TEMP TABLE seed_people ON COMMIT DROP AS
SELECT number, pg_temp.uuid7(came) AS id, came
FROM (
    SELECT number, pg_temp.moment((number - 1 - 0.9 * random()) / :people) AS came
    FROM generate_series(1, :people) number
) drawn;
ANALYZE seed_people, seed_texts;
INSERT INTO users (id, email, username, bio, password_hash, created_at, updated_at)
SELECT id, 'demo_' || number || '@example.com', 'demo_' || number, text, :hash, came, came
FROM seed_people
    LEFT JOIN (SELECT * FROM seed_texts WHERE kind = 'passage' AND language = 'ko') bios USING (number)
ORDER BY number
"""
SOME_POSTS = """
INSERT INTO posts
    (id, author_id, title, body, is_published, published_at, comment_count, created_at, updated_at)
WITH drawn AS MATERIALIZED (
    SELECT post, pg_temp.moment(share) AS moment, (ARRAY['ko', 'en'])[1 + round(random())::int] AS language,
        1 + floor(power(random(), 2) * share * :people)::int AS author,
        floor(random() * :pool)::int AS title,
        3 + floor(random() * 6)::int AS passages,
        random() < 0.96 AS is_published,
        -- Most are published as they are written, the others up to a week later.
        greatest(0, random() - 0.8) * 5 * interval '168 hours' AS waits,
        least(200, floor(power(1 - random(), -0.6)) - 1) AS comments
    -- Never two within a millisecond: then their ids are in order as well.
    FROM (SELECT post, (post - 0.9 * random()) / :posts AS share FROM generate_series(:first, :last) post) s
), picked AS MATERIALIZED (
    SELECT post, language, floor(random() * :pool)::int AS number
    FROM drawn, generate_series(1, passages)
), bodies AS (
    SELECT post, string_agg(text, ' ') AS body
    FROM picked JOIN seed_texts USING (language, number) WHERE kind = 'passage' GROUP BY post
), finished AS (
    SELECT *, CASE WHEN is_published THEN least(now(), moment + waits) END AS published_at
    FROM drawn
)
SELECT pg_temp.uuid7(moment), people.id, replace(titles.text, '{}', names.text), body, is_published,
    published_at, CASE WHEN is_published THEN comments ELSE 0 END, moment, coalesce(published_at, moment)
FROM finished JOIN bodies USING (post)
    JOIN seed_people people ON people.number = author
    JOIN seed_texts titles
        ON (titles.kind, titles.number, titles.language) = ('title', title, finished.language)
    JOIN seed_texts names
        ON (names.kind, names.number, names.language) = ('name', post % :names, finished.language)
ORDER BY post
"""
COMMENTS = """
INSERT INTO comments (id, post_id, author_id, body, created_at, updated_at)
WITH drawn AS MATERIALIZED (
    SELECT posts.id AS post_id, (ARRAY['ko', 'en'])[1 + round(random())::int] AS language,
        floor(random() * :pool)::int AS number,
        published_at + power(random(), 6) * (now() - published_at) AS moment, random() AS chance
    FROM posts JOIN seed_people people ON people.id = author_id, generate_series(1, comment_count)
)
SELECT pg_temp.uuid7(moment), post_id, people.id, text, moment, moment
FROM drawn JOIN seed_texts USING (language, number)
    JOIN seed_people people ON people.number = 1 + floor(chance * pg_temp.share(moment) * :people)::int
WHERE kind = 'passage'
ORDER BY moment
"""
COUNTERS = """
UPDATE users SET post_count = written.posts
FROM (SELECT author_id, count(*) AS posts FROM posts WHERE is_published GROUP BY author_id) written
WHERE users.id = author_id AND users.id IN (SELECT id FROM seed_people);
-- Over all parts, as if many had written them.
INSERT INTO post_totals
SELECT shard, (number + shard) / 16
FROM (SELECT sum(post_count)::bigint AS number FROM users JOIN seed_people USING (id)) new,
    generate_series(0, 15) shard
ON CONFLICT (shard) DO UPDATE SET published = post_totals.published + excluded.published
"""


def seed(settings: Settings, *, posts: int, people: int) -> Iterator[str]:
    """Load all of it, or nothing when there is some. Yields what is to be told, as it happens.

    Raises ``Forbidden`` in production.
    """
    refuse_in_production(settings)
    engine = unhurried(settings.database_url)
    with engine.begin() as connection:
        # Who comes at the same time waits here, and then finds it done.
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        is_there = connection.scalar(text(IS_THERE))
        if not is_there:
            yield f"Loading {posts} posts; nobody can read posts meanwhile."
            _load(connection, posts, people)
    if is_there:
        yield "There is large data already; nothing was changed."
    else:
        cache().forget(POSTS)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE users, posts, comments, post_totals"))
    yield f"Log in as {FIRST} with the password {PASSWORD}; the others are demo_2 and so on."


def _load(connection: Connection, posts: int, people: int) -> None:
    names = max(1, posts // POSTS_OF_A_NAME)
    sizes = {"posts": posts, "people": people, "names": names, "pool": POOL}
    connection.execute(text(PREPARE))
    columns = map(list, zip(*texts(names), strict=True))
    connection.execute(text(TEXTS), dict(zip(Text._fields, columns, strict=True)))
    indexes = connection.execute(text(SEARCH_INDEXES)).all()
    for name, _ in indexes:
        connection.execute(text(f'DROP INDEX "{name}"'))
    connection.execute(text(PEOPLE), sizes | {"hash": hash_password(PASSWORD)})
    for first in range(1, posts + 1, BATCH):
        last = min(posts, first + BATCH - 1)
        connection.execute(text(SOME_POSTS), sizes | {"first": first, "last": last})
    for _, definition in indexes:
        connection.execute(text(definition.replace(":", "\\:")))
    connection.execute(text(COMMENTS), sizes)
    connection.execute(text(COUNTERS))
