"""What the caller wants to read: a request whose ``Accept`` excludes the answer is refused.

It stands before the guard, so that nobody sends a body for an answer they cannot read.
"""

from __future__ import annotations

import re
from functools import lru_cache

from starlette.types import ASGIApp, Receive, Scope, Send
from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header, parse_list_header

from api.errors import NotAcceptable
from api.web import context
from api.web.asgi.headers import joined

RANGE = re.compile(r"\*/\*|(?!\*)[^\s/;,]+/[^\s/;,]+")


class Accept:
    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        offers = context.operation().offers
        if offers and not accepts(joined(scope, b"accept"), offers):
            raise NotAcceptable({"Accept": f"must allow {' or '.join(offers)}"})
        await self.app(scope, receive, send)


@lru_cache(maxsize=256)
def accepts(header: str, offers: tuple[str, ...]) -> bool:
    """Whether one of these media types may be answered. A header that is malformed counts as none."""
    found = parse_accept_header(header, MIMEAccept)
    # Parameters count for nothing: there is one JSON, and werkzeug would take it for another one.
    ranges = [(item.partition(";")[0].strip(), quality) for item, quality in found]
    is_whole = len(ranges) == len(parse_list_header(header))  # it leaves out what has no valid q
    if not ranges or not is_whole or not all(RANGE.fullmatch(name) for name, _ in ranges):
        return True
    wanted = MIMEAccept(ranges)
    return any(wanted.quality(offer) > 0 for offer in offers)
