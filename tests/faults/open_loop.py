"""Callers who come when they come, however late the answers are; wrk's wait for theirs, which hides a queue.

    python -m tests.faults.open_loop URL RATE SECONDS FILE    one JSON object on stdout

FILE holds the requests, as bytes on the wire, asked in turn (a JSON list). RATE 0: thirty-two who come again
as soon as they are answered.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from statistics import quantiles
from typing import Any
from urllib.parse import urlsplit

LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)
AT_ONCE = 32


class Caller(asyncio.Protocol):
    """One connection: asks one thing at a time."""

    transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self._answer: asyncio.Future[int] | None = None
        self._data = b""

    def ask(self, request: bytes) -> asyncio.Future[int]:
        """The status; 0 when the connection broke."""
        self._answer = asyncio.get_running_loop().create_future()
        self._data = b""
        self.transport.write(request)
        if self.transport.is_closing():
            self._done(0)
        return self._answer

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, end, body = self._data.partition(b"\r\n\r\n")
        if not end:
            return
        length = LENGTH.search(head + b"\r\n")
        if length is None or len(body) >= int(length[1]):
            self._done(int(head[9:12]))

    def connection_lost(self, _: Exception | None) -> None:
        self._done(0)

    def _done(self, status: int) -> None:
        if self._answer and not self._answer.done():
            self._answer.set_result(status)


class Load:
    def __init__(self, url: str, requests: Iterator[bytes]) -> None:
        self.place = urlsplit(url)
        self.requests = requests
        self.idle: list[Caller] = []
        self.answers: list[tuple[float, int, float]] = []
        """When it came, the status, how long it took."""

    async def one(self, came: float) -> None:
        caller = self.idle.pop() if self.idle else None
        try:
            if caller is None or caller.transport.is_closing():
                _, caller = await asyncio.get_running_loop().create_connection(
                    Caller, self.place.hostname or "", self.place.port or 80
                )
            status = await caller.ask(next(self.requests))
        except OSError:
            status = 0
        self.answers.append((came, status, time.monotonic() - came))
        if status and caller:
            self.idle.append(caller)

    async def open(self, rate: float, seconds: float) -> None:
        began = time.monotonic()
        tasks: set[asyncio.Task[None]] = set()
        for number in range(int(rate * seconds)):
            came = began + number / rate
            if (early := came - time.monotonic()) > 0:
                await asyncio.sleep(early)
            task = asyncio.create_task(self.one(came))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        await asyncio.gather(*tasks)

    async def closed(self, seconds: float) -> None:
        end = time.monotonic() + seconds

        async def again() -> None:
            while (now := time.monotonic()) < end:
                await self.one(now)

        await asyncio.gather(*(again() for _ in range(AT_ONCE)))


def summary(answers: list[tuple[float, int, float]], seconds: float) -> dict[str, Any]:
    """Latencies in milliseconds from when a caller came, whenever the request went out."""
    statuses = Counter(status for _, status, _ in answers)

    def late(*, good: bool) -> list[float]:
        times = [took * 1000 for _, status, took in answers if (status // 100 == 2) == good]
        cuts = quantiles(times, n=100) if len(times) > 1 else [0.0] * 99
        return [round(cuts[at - 1], 1) for at in (50, 99)] + [round(max(times, default=0.0), 1)]

    good = sum(number for status, number in statuses.items() if status // 100 == 2)
    return {
        "statuses": {str(status): number for status, number in sorted(statuses.items())},
        "good_per_second": round(good / seconds, 1),
        "good_ms": late(good=True),
        "refused_ms": late(good=False),
    }


def main() -> None:
    url, rate, seconds, file = sys.argv[1], float(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
    requests = cycle(text.encode() for text in json.loads(Path(file).read_text(encoding="utf-8")))
    load = Load(url, requests)
    asyncio.run(load.open(rate, seconds) if rate else load.closed(seconds))
    print(json.dumps(summary(load.answers, seconds)))


if __name__ == "__main__":
    main()
