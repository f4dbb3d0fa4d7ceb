"""The error codes as pages to read: a list, and one for each. All of it is what the contract says."""

from __future__ import annotations

import re
from html import escape
from http import HTTPStatus

from api.web.contract import Contract, Json

PLACE = "/docs/errors"


def render(contract: Contract) -> dict[str, bytes]:
    """HTML by path."""
    table: dict[str, Json] = contract.resolve({"$ref": "#/components/schemas/ErrorCode"})[
        "x-errors"
    ]
    pages = {f"{PLACE}/{code}": _page(code, _one(entry)) for code, entry in table.items()}
    return {PLACE: _page("Error codes", _list(table)), **pages}


def _list(table: dict[str, Json]) -> str:
    rows = "\n".join(
        f'<tr><td><a href="{PLACE}/{escape(code)}">{escape(code)}</a></td>'
        f"<td>{entry['status']}</td><td>{_prose(entry['meaning'])}</td></tr>"
        for code, entry in table.items()
    )
    return (
        "<p>What <code>error.code</code> of a refusal can be. A code keeps its meaning; new ones may"
        " come, so treat an unknown one by its HTTP status.</p>\n"
        "<table>\n<thead><tr><th>Code</th><th>Status</th><th>Meaning</th></tr></thead>\n"
        f"<tbody>\n{rows}\n</tbody>\n</table>"
    )


def _one(entry: Json) -> str:
    status = HTTPStatus(entry["status"])
    return (
        f"<dl>\n<dt>HTTP status</dt><dd>{status.value} {escape(status.phrase)}</dd>\n"
        f"<dt>What it means</dt><dd>{_prose(entry['meaning'])}</dd>\n"
        f"<dt>What you can do</dt><dd>{_prose(entry['remedy'])}</dd>\n</dl>\n"
        f'<p><a href="{PLACE}">All error codes</a></p>'
    )


def _prose(text: str) -> str:
    """Code stands between backticks, as in the rest of the contract."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _page(title: str, content: str) -> bytes:
    return f"""<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>Madang API: {escape(title)}</title>
  <link rel="icon" href="/docs/assets/favicon.png">
  <link rel="stylesheet" href="/docs/assets/errors.css">
</head>
<body>
<h1>{escape(title)}</h1>
{content}
<p><a href="/docs">Try the API out</a></p>
</body>
</html>
""".encode()
