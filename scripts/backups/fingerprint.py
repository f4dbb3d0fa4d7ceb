"""What a database holds, in a form that can be compared: for each table its rows and a sum over them.

The sum does not depend on the order of the rows, so nothing has to be sorted and a table is read once.
"""

from __future__ import annotations

from typing import Any, TypedDict

from psycopg2 import sql
from psycopg2.extensions import connection

TABLES = """
SELECT relname FROM pg_class
WHERE relkind IN ('r', 'p') AND NOT relispartition AND relnamespace = 'public'::regnamespace
ORDER BY relname
"""
# A hash of each row as text, added up: 60 bits each, so that the sum is exact in numeric.
SUM = "SELECT count(*), coalesce(sum(('x' || left(md5(row::text), 15))::bit(60)::bigint), 0)::text FROM {} AS row"
SETTINGS = "SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO, YMD'; SET LOCAL IntervalStyle = 'postgres';"
"""On which a row's text depends."""


class Table(TypedDict):
    rows: int
    sum: str


Fingerprint = dict[str, Table]


def take(open_connection: connection) -> Fingerprint:
    """Within the transaction that *open_connection* is in, or in one that it begins."""
    cursor = open_connection.cursor()
    cursor.execute(SETTINGS)
    cursor.execute(TABLES)
    names: list[tuple[Any, ...]] = cursor.fetchall()
    found: Fingerprint = {}
    for (name,) in names:
        cursor.execute(sql.SQL(SUM).format(sql.Identifier(name)))
        rows, total = cursor.fetchone() or (0, "0")
        found[name] = {"rows": rows, "sum": total}
    return found


def differences(wanted: Fingerprint, found: Fingerprint) -> list[str]:
    """A line for each table that is not the same in both."""
    lines = []
    for name in sorted(wanted.keys() | found.keys()):
        if name not in found:
            lines.append(f"{name} is missing")
        elif name not in wanted:
            lines.append(f"{name} should not be there")
        elif wanted[name] != found[name]:
            rows = f"{wanted[name]['rows']} rows expected, {found[name]['rows']} found"
            lines.append(f"{name} differs: {rows}")
    return lines
