"""Statements that each connection tells PostgreSQL once: reading and planning one takes longer than finding a row.

PREPARE and EXECUTE of SQL, since psycopg2 knows no other way. A name is the hash of what it stands for, so whoever
shares a connection to the server means the same by it. A comment tells operators what it is.
"""

from __future__ import annotations

import hashlib
import logging
import re
from dataclasses import dataclass
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from psycopg2 import Error
from sqlalchemy import Engine, Executable, event
from sqlalchemy.engine import Compiled
from sqlalchemy.exc import CompileError
from sqlalchemy.types import TypeEngine

log = logging.getLogger(__name__)
T = TypeVar("T", bound=Executable)

OPTION = "madang_prepared"
PREPARED = {OPTION: True}
"""As options of an execution."""
TOLD = "madang_told"
"""In the ``info`` of a connection: the names that it knows; none where nothing can be prepared."""
LOST = frozenset(["26000", "42P05", "0A000"])
"""SQLSTATE of a name that is gone, of one that is taken, and of a table that has changed since."""
PARAMETER = re.compile(r"%\((\w+)\)s")
COMMENT = re.compile(r"/\*|\*/")
"""What begins or ends one; they nest."""


def prepared(statement: T) -> T:
    """For what is found by its key, with whatever values in the same way. Not for what is searched for."""
    marked: T = statement.execution_options(**PREPARED)
    return marked


@dataclass(frozen=True, slots=True)
class Known:
    statement: str
    name: str
    prepare: str
    execute: str


class Prepared:
    def __init__(self) -> None:
        self._known: WeakKeyDictionary[Compiled, Known] = WeakKeyDictionary()
        """By what was compiled, since two of one text may have parameters of other types."""
        self._is_on = True

    def watch(self, engine: Engine) -> None:
        event.listen(engine, "do_execute", self._execute)

    def _execute(self, cursor: Any, statement: str, values: Any, context: Any) -> bool:
        """Whether it was done. Raises what psycopg2 raises."""
        if not (self._is_on and _can_be(context)):
            return False
        told = _told(cursor, context)
        if told is None:
            return False
        try:
            self._ask(cursor, self._of(context), values, told)
        except Error as err:
            if err.pgcode not in LOST:
                raise
            self._give_up(err.pgcode)
            if not cursor.connection.autocommit:
                raise  # and the transaction is tried again
            return False
        return True

    def _ask(self, cursor: Any, known: Known, values: Any, told: set[str]) -> None:
        if known.name not in told:
            cursor.execute(known.prepare)
            told.add(known.name)
        cursor.ask(known.execute, values, known.statement)

    def _of(self, context: Any) -> Known:
        if (known := self._known.get(context.compiled)) is None:
            known = self._known[context.compiled] = _known(context)
        return known

    def _give_up(self, state: str) -> None:
        """For good: whatever took one away is likely to take others too."""
        self._is_on = False
        log.warning(
            "a prepared statement is lost (%s), from now on none is prepared: "
            "a pooler that was not noticed, or columns of other types?",
            state,
        )


def _can_be(context: Any) -> bool:
    """Whether it is marked, and its text is the same for all values: that of an IN has a parameter for each."""
    return OPTION in context.execution_options and not context.compiled.post_compile_params


def _told(cursor: Any, context: Any) -> set[str] | None:
    info = context.root_connection.info
    if TOLD not in info:
        info[TOLD] = set() if _is_direct(cursor) else None
    found: set[str] | None = info[TOLD]
    return found


def _is_direct(cursor: Any) -> bool:
    """Whether it is the server that we talk to: a pooler gives its clients numbers of its own for cancelling."""
    cursor.execute("SELECT pg_backend_pid()")
    (pid,) = cursor.fetchone()
    return bool(pid == cursor.connection.info.backend_pid)


def _known(context: Any) -> Known:
    statement, binds = context.statement, context.compiled.binds
    names = list(dict.fromkeys(PARAMETER.findall(statement)))
    types = ", ".join(_type(binds[name].type, context.dialect) for name in names)
    text = PARAMETER.sub(lambda found: f"${names.index(found[1]) + 1}", statement)
    text = f"{f'({types})' if names else ''} AS {text.replace('%%', '%')}"
    name = f"madang_{hashlib.sha256(text.encode()).hexdigest()[:32]}"
    values = ", ".join(f"%({each})s" for each in names)
    execute = f"EXECUTE {name}({values})" if names else f"EXECUTE {name}"
    comment = COMMENT.sub(" ", PARAMETER.sub(r":\1", statement))
    return Known(statement, name, f"PREPARE {name}{text}", f"/* {comment} */ {execute}")


def _type(found: TypeEngine[Any], dialect: Any) -> str:
    """``unknown`` lets PostgreSQL find out."""
    try:
        return str(dialect.type_compiler_instance.process(found))
    except CompileError:
        return "unknown"
