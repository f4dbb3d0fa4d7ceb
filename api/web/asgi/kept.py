"""Answers at once what was answered a moment ago and still stands, before any thread or server is asked.

Only what the contract lets be kept (``x-policy.cache``), asked for by nobody in particular and in the plainest way:
whatever else a request has in it takes the long road, which knows what to make of it. A write on this host ends
what it changed before it is answered itself (api/infra/changes.py). To other hosts nobody tells anything: no
answer is given for longer than a write may take to be seen there.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from functools import cache

from prometheus_client import Counter
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.infra import changes
from api.infra.metrics import CACHE_REQUESTS
from api.web import context, tags
from api.web.asgi.accept import accepts
from api.web.limits import Limits

SECONDS = 0.9
"""That an answer is given after it was asked for: what was written elsewhere is seen within a second."""
PATIENCE = 1.0
"""Seconds to wait for an answer that somebody else is asking for."""
LARGEST = 64 * 1024
MOST = 8 * 1024 * 1024
"""Bytes of one answer, and of all."""

RawHeaders = list[tuple[bytes, bytes]]
Key = tuple[str, bytes]
"""Path and query."""

NOT_PLAIN = frozenset(
    [b"authorization", b"x-api-key", b"content-length", b"transfer-encoding", b"cookie", b"expect"]
)
OF_A_304 = frozenset([b"etag", b"cache-control", b"vary"])
"""RFC 9110, 15.4.5; no other header of ours would be in it."""


@dataclass(frozen=True, slots=True)
class Asked:
    accept: str
    if_none_match: bytes | None


@dataclass(frozen=True, slots=True)
class Answer:
    start: Message
    unchanged: Message | None
    """How a 304 begins."""
    tag: str
    body: Message
    group: str
    mark: changes.Mark
    until: float

    @property
    def size(self) -> int:
        return len(self.body["body"])

    @property
    def stands(self) -> bool:
        return time.monotonic() < self.until and self.mark.stands(self.group)


class Kept:
    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self.app = app
        self.limits = limits
        self._answers: OrderedDict[Key, Answer] = OrderedDict()
        """Those that were asked for last at the end."""
        self._size = 0
        self._flights: dict[Key, asyncio.Event] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        operation = context.operation()
        asked = plain(scope) if operation.policy.cache else None
        if asked is None or not accepts(asked.accept, operation.offers):
            await self.app(scope, receive, send)
            return
        key = (scope["path"], scope["query_string"])
        if (answer := self._find(key) or await self._awaited(key)) is None:
            await self._ask(key, asked, scope, receive, send)
            return
        request = context.current()
        if not self.limits.note(request):
            await asyncio.to_thread(self.limits.charge, request)
        _hits(answer.group.partition(":")[0]).inc()
        await _give(answer, asked, send)

    def _find(self, key: Key) -> Answer | None:
        answer = self._answers.get(key)
        if answer is None:
            return None
        if not answer.stands:
            self._drop(key)
            return None
        self._answers.move_to_end(key)
        return answer

    async def _awaited(self, key: Key) -> Answer | None:
        """What somebody else is asking for at this moment, if it is kept then."""
        if (flight := self._flights.get(key)) is None:
            return None
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await flight.wait()
        return self._find(key)

    async def _ask(
        self, key: Key, asked: Asked, scope: Scope, receive: Receive, send: Send
    ) -> None:
        mark, until = changes.mark(), time.monotonic() + SECONDS
        self._flights[key] = flight = asyncio.Event()
        recorder = _Recorder()
        try:
            await self.app(_unconditional(scope), receive, recorder)
            group = context.current().group
            answer = recorder.answer(group or "", mark, until)
            if group is not None and answer.start["status"] == 200:
                self._keep(key, answer)
        finally:
            if self._flights.get(key) is flight:
                del self._flights[key]
            flight.set()
        await _give(answer, asked, send)

    def _keep(self, key: Key, answer: Answer) -> None:
        self._drop(key)
        if answer.size > LARGEST:
            return
        self._answers[key] = answer
        self._size += answer.size
        while self._size > MOST:
            self._drop(next(iter(self._answers)))

    def _drop(self, key: Key) -> None:
        if answer := self._answers.pop(key, None):
            self._size -= answer.size


class _Recorder:
    def __init__(self) -> None:
        self._start: Message = {}
        self._body = bytearray()

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
        else:
            self._body += message.get("body", b"")

    def answer(self, group: str, mark: changes.Mark, until: float) -> Answer:
        headers: RawHeaders = list(self._start["headers"])
        tag = next((value for name, value in headers if name == b"etag"), b"").decode("latin-1")
        short = [(name, value) for name, value in headers if name in OF_A_304]
        return Answer(
            start=self._start,
            unchanged={**self._start, "status": 304, "headers": short} if tag else None,
            tag=tag.strip('"'),
            body={"type": "http.response.body", "body": bytes(self._body)},
            group=group,
            mark=mark,
            until=until,
        )


def plain(scope: Scope) -> Asked | None:
    """What a request says of the answer that it wants, if that is all that there is to it."""
    headers: RawHeaders = scope["headers"]
    found = dict(headers)
    if len(found) != len(headers) or not NOT_PLAIN.isdisjoint(found):
        return None
    return Asked(found.get(b"accept", b"*/*").decode("latin-1"), found.get(b"if-none-match"))


def _unconditional(scope: Scope) -> Scope:
    """Whole answers alone can be kept; whether the caller has one already is found out afterwards."""
    headers = [header for header in scope["headers"] if header[0] != b"if-none-match"]
    return {**scope, "headers": headers}


async def _give(answer: Answer, asked: Asked, send: Send) -> None:
    if (
        answer.unchanged
        and asked.if_none_match is not None
        and _knows(asked.if_none_match, answer.tag)
    ):
        await send(answer.unchanged)
        await send({"type": "http.response.body", "body": b""})
        return
    await send(answer.start)
    await send(answer.body)


def _knows(header: bytes, tag: str) -> bool:
    text = [header.decode("latin-1")]
    return tags.names_any(text) or tag in tags.named(text)


@cache
def _hits(name: str) -> Counter:
    return CACHE_REQUESTS.labels(name, "hit")
