"""What the database is asked while a request is answered, and how it finds that."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, event

from api.app import App
from api.infra.db import db

Node = dict[str, Any]


@dataclass
class Asked:
    """Statements in their order, each with its parameters."""

    statements: list[tuple[str, Any]] = field(default_factory=list)

    def explained(self, connection: Connection, *, run: bool = False) -> list[Plan]:
        return [
            Plan(statement, _explain(connection, statement, parameters, run=run))
            for statement, parameters in self.statements
        ]


@dataclass(frozen=True)
class Plan:
    statement: str
    top: Node

    @property
    def scans(self) -> list[str]:
        """Tables that are read from end to end."""
        return [
            node["Relation Name"] for node in _nodes(self.top) if node["Node Type"] == "Seq Scan"
        ]

    @property
    def looked_at_in_vain(self) -> int:
        """Rows, if the statement was run to explain it."""
        return sum(node.get("Rows Removed by Filter", 0) for node in _nodes(self.top))

    @property
    def indexes(self) -> list[str]:
        names = (node.get("Index Name", "") for node in _nodes(self.top))
        return list(dict.fromkeys(name for name in names if name))

    @property
    def tables(self) -> list[str]:
        return list(dict.fromkeys(re.findall(r"(?:FROM|JOIN|UPDATE|INTO) (\w+)", self.statement)))


@contextmanager
def listening(app: App) -> Iterator[Asked]:
    """To everything that the service itself sends to its database."""
    asked = Asked()

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        asked.statements.append((statement, parameters))

    with app.flask.app_context():
        engine = db.reads
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(engine, "before_cursor_execute", note)


def kept(connection: Connection) -> list[Plan]:
    """Of what this connection has prepared: those that are good for all values, whatever they are."""
    connection.exec_driver_sql("SET LOCAL plan_cache_mode = force_generic_plan")
    kept_ones = "FROM pg_prepared_statements WHERE name LIKE 'madang%%'"
    names = f"SELECT name, statement, cardinality(parameter_types) {kept_ones}"
    found = connection.exec_driver_sql(names).all()
    calls = {
        statement: f"EXECUTE {name}" + (f"({', '.join(['NULL'] * number)})" if number else "")
        for name, statement, number in found
    }
    return [Plan(of, _explain(connection, call, (), run=False)) for of, call in calls.items()]


def _explain(connection: Connection, statement: str, parameters: Any, *, run: bool) -> Node:
    how = "EXPLAIN (FORMAT JSON, ANALYZE)" if run else "EXPLAIN (FORMAT JSON)"
    found = connection.exec_driver_sql(f"{how} {statement}", parameters)
    plan: Node = found.scalar_one()[0]["Plan"]
    return plan


def _nodes(node: Node) -> Iterator[Node]:
    yield node
    for inner in node.get("Plans", []):
        yield from _nodes(inner)
