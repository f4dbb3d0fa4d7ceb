"""The engine, the declarative base and the one place where a transaction ends."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, NoReturn, ParamSpec, TypeVar

from flask import Flask, current_app
from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy.session import Session as FlaskSession
from sqlalchemy import Connection, Engine, MetaData, event
from sqlalchemy.orm import DeclarativeBase, Session

from api.errors import DomainError
from api.infra import db_errors
from api.infra.db_watchdog import WatchedConnection
from api.infra.metrics import AFTER_COMMIT_FAILURES

log = logging.getLogger(__name__)
P = ParamSpec("P")
R = TypeVar("R")

TRIES = 3
"""How often a transaction is tried in all that lost to another one, or whose statements are not prepared any more."""

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMES)


class RequestSession(FlaskSession):
    """One that only reads begins no transaction: two trips to the server less for each request.

    Under READ COMMITTED each statement sees what is committed when it begins, with a transaction and without.
    """

    _reading: Connection | None = None

    def core(self) -> Connection:
        if READS not in self.info:
            return self.connection()
        if self._reading is None:
            self._reading = db.reads.connect()
        return self._reading

    def get_bind(
        self, *_: Any, bind: Engine | Connection | None = None, **__: Any
    ) -> Engine | Connection:
        if bind is not None:
            return bind
        return self.core() if READS in self.info else db.engine

    def close(self) -> None:
        reading, self._reading = self._reading, None
        try:
            super().close()
        finally:
            if reading is not None:
                reading.close()


class Database(SQLAlchemy):
    """Two engines on one pool. Connections rest as those need them that are wanted most: outside of transactions.

    So a ``raw_connection()`` of either is outside of them as well.
    """

    @property
    def engine(self) -> Engine:
        """Begins transactions."""
        found: Engine = current_app.extensions[WRITES]
        return found

    @property
    def reads(self) -> Engine:
        """Begins none. What listens to it also hears the other one."""
        return super().engine


READS, WRITES = "madang-reads", "madang-writes"
db = Database(model_class=Base, session_options={"class_": RequestSession})


def init_app(flask: Flask) -> None:
    db.init_app(flask)
    with flask.app_context():
        flask.extensions[WRITES] = writes = db.reads.execution_options()
    event.listen(writes, "begin", _leave_autocommit)


def _leave_autocommit(connection: Connection) -> None:
    """With each transaction, since the driver's connection may be another one than that of the one before."""
    options = {"isolation_level": "READ COMMITTED"}
    connection.dialect.set_connection_execution_options(connection, options)


def only_read() -> None:
    """From now on, until the request ends."""
    db.session().info[READS] = True


def core(session: Session) -> Connection:
    """For statements of values, of which the session has nothing to remember: that would take as long as they do.

    Nothing that waits in the session is written before them; who needs that flushes first.
    """
    return session.core() if isinstance(session, RequestSession) else session.connection()


def engine_options(threads: int) -> dict[str, Any]:
    """As many connections as threads, and a limit to everything that can hang (milliseconds).

    Parameters are hidden, since they would stand in the text of an error, and so in a log.
    """
    limits = {
        "statement_timeout": 3000,
        "lock_timeout": 2000,
        "idle_in_transaction_session_timeout": 10000,
        "timezone": "UTC",
    }
    return {
        "isolation_level": "AUTOCOMMIT",
        "pool_size": threads,
        "max_overflow": 0,
        "pool_timeout": 1,
        "hide_parameters": True,
        "skip_autocommit_rollback": True,
        "connect_args": {
            "application_name": "madang",
            "connection_factory": WatchedConnection,
            "connect_timeout": 2,
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 2,
            "tcp_user_timeout": 3000,
            "options": " ".join(f"-c {name}={value}" for name, value in limits.items()),
        },
    }


def on_commit(session: Session, action: Callable[[], object]) -> None:
    """Run *action* once the current transaction is durable; drop it on rollback."""
    session.info.setdefault("on_commit", []).append(action)


def transactional(handler: Callable[P, R]) -> Callable[P, R]:
    """Make one handler call one transaction. The only caller of ``commit()`` in the API.

    A refusal with ``keeps_writes`` is committed as well. Database errors leave as ``DomainError``;
    a transaction that may succeed the next time is run again, so a handler may be called up to
    ``TRIES`` times.
    """

    @wraps(handler)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        for _ in range(TRIES - 1):
            try:
                return _once(handler, *args, **kwargs)
            except db_errors.FAILURES as err:
                if not db_errors.is_retryable(err):
                    _translate(err)
        with translated():
            return _once(handler, *args, **kwargs)

    return wrapper


@contextmanager
def translated() -> Iterator[None]:
    """Let database errors leave as ``DomainError``."""
    try:
        yield
    except db_errors.FAILURES as err:
        _translate(err)


def _translate(err: Exception) -> NoReturn:
    found = db_errors.translate(err)
    raise found from (err.__cause__ if found is err else err)  # never its own cause


def _commit(session: Session) -> None:
    """A server that was lost without a word may have committed; what is to follow harms no one if it has not."""
    try:
        session.commit()
    except db_errors.FAILURES as err:
        if not db_errors.sqlstate(err):
            _run_actions(session)
        raise


def _once(handler: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    session = db.session()
    if session.info.pop(READS, None) is not None:  # it has read, without a transaction
        session.close()
    try:
        outcome = _outcome(handler, *args, **kwargs)
        _commit(session)
    except BaseException:
        session.info.pop("on_commit", None)
        session.rollback()
        raise
    _run_actions(session)
    if isinstance(outcome, DomainError):
        raise outcome
    return outcome


def _outcome(handler: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R | DomainError:
    """What the handler returned, or a refusal whose writes are to be committed like any others."""
    try:
        return handler(*args, **kwargs)
    except DomainError as err:
        if not err.keeps_writes:
            raise
        return err


def _run_actions(session: Session) -> None:
    for action in session.info.pop("on_commit", []):
        try:
            action()
        except Exception:  # the data is safe already: a lost side effect is not a 500
            AFTER_COMMIT_FAILURES.inc()
            log.exception("a side effect failed after the commit")
