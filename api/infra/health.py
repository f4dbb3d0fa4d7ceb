"""Whether the servers behind can be used, asked on connections of their own: the pool may be full."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import psycopg2
from psycopg2.extensions import connection
from redis.exceptions import RedisError
from sqlalchemy.engine import make_url

from api.infra import redis
from api.infra.db_password import Password
from api.infra.db_watchdog import WatchedConnection


class Untimed(WatchedConnection):
    """What a probe asks is none of the statements of requests, whose times are counted."""

    is_timed = False


def database_probe(url: str, file: str | None = None) -> Callable[[], None]:
    """A check that raises ``psycopg2.Error`` when a statement cannot be run within 2 seconds.

    *file*: where a newer URL may stand.
    """
    password = Password(url, file)
    dsn = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)

    def probe() -> None:
        with closing(password.call(connect)) as made:
            made.cursor().execute("SELECT 1")

    def connect(word: str | None) -> connection:
        return psycopg2.connect(
            dsn,
            password=word,
            connection_factory=Untimed,
            connect_timeout=2,
            tcp_user_timeout=2000,
            options="-c statement_timeout=2000",
        )

    return probe


def redis_probe(url: str) -> Callable[[], bool]:
    client = redis.connect(url)

    def probe() -> bool:
        try:
            return bool(client.ping())
        except (RedisError, OSError):
            return False

    return probe
