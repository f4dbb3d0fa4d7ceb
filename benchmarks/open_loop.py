"""Callers who come when they come, however late the answers are; wrk's wait for theirs, which hides a queue.

    python -m benchmarks.open_loop URL RATE SECONDS FILE [ADDRESSES]    one JSON object on stdout

FILE holds the requests, as bytes on the wire, asked in turn (a JSON list). RATE 0: thirty-two who come again
as soon as they are answered. ADDRESSES: from how many they come, since nginx grants each 50 requests a second.
"""

from __future__ import annotations

import json
import re
import selectors
import socket
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import cycle
from pathlib import Path
from statistics import quantiles
from typing import Any
from urllib.parse import urlsplit

LENGTH = re.compile(rb"\r\n[Cc]ontent-[Ll]ength: (\d+)\r\n")
END, LAST = b"\r\n\r\n", b"onnection: close"
LARGEST = 64 * 1024
AT_ONCE = 32
TICK = 0.002
"""Seconds: whoever comes within the same one asks together, since waiting for each costs more than asking."""


def addresses(number: int) -> list[str]:
    """Of this machine; 200 at most."""
    return [f"127.0.1.{each}" for each in range(1, number + 1)]


class Caller:
    """One connection: asks one thing at a time."""

    def __init__(self, place: tuple[str, int], source: str) -> None:
        self.socket = socket.create_connection(place, 10, (source, 0))
        self.is_waiting = False
        self.is_last = False
        """The server will end the connection."""
        self.came = 0.0
        self._data = b""

    def ask(self, request: bytes, came: float) -> None:
        self.is_waiting, self.came, self._data = True, came, b""
        with suppress(OSError):  # which is heard of as well
            self.socket.sendall(request)

    def hear(self) -> int | None:
        """The status; None before all of the answer is there, 0 when the connection broke."""
        try:
            data = self.socket.recv(LARGEST)
        except OSError:
            data = b""
        if not data:
            return 0
        self._data = data = self._data + data if self._data else data
        end = data.find(END)
        if end < 0:
            return None
        length = LENGTH.search(data, 0, end + len(END))
        if length and len(data) - end - len(END) < int(length[1]):
            return None
        self.is_last = data.find(LAST, 0, end) > 0
        return int(data[9:12])


class Load:
    """Costs as little as can be, since the service has the same processors: one thread, and no event loop."""

    def __init__(self, url: str, requests: Iterator[bytes], sources: Sequence[str] = ("",)) -> None:
        """*sources*: addresses that they come from, one connection of each at least."""
        parts = urlsplit(url)
        self.place = (parts.hostname or "", parts.port or 80)
        self.requests = requests
        self.idle: deque[Caller] = deque()
        self.answers: list[tuple[float, int, float]] = []
        """When it came, the status (0: the connection broke), how long it took."""
        self._waiting = 0
        self._connected = 0
        self._least = len(sources)
        self._sources = cycle(sources)
        self._selector = selectors.DefaultSelector()

    def open(self, rate: float, seconds: float) -> None:
        began = time.monotonic()
        for number in range(int(rate * seconds)):
            came = began + number / rate
            while (early := came - time.monotonic()) > 0:
                self._hear(max(early, TICK))
            self._ask(came)
        while self._waiting:
            self._hear(None)

    def closed(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end:
            for _ in range(AT_ONCE - self._waiting):
                self._ask(now)
            self._hear(None)
        while self._waiting:
            self._hear(None)

    def _ask(self, came: float) -> None:
        self._waiting += 1
        if self.idle and self._connected >= self._least:
            caller = self.idle.popleft()
        else:
            caller = Caller(self.place, next(self._sources))
            self._selector.register(caller.socket, selectors.EVENT_READ, caller)
            self._connected += 1
        caller.ask(next(self.requests), came)

    def _hear(self, patience: float | None) -> None:
        for key, _ in self._selector.select(patience):
            caller: Caller = key.data
            status = caller.hear()
            if status is None:
                continue
            if caller.is_waiting:
                self.answers.append((caller.came, status, time.monotonic() - caller.came))
                self._waiting -= 1
                caller.is_waiting = False
            else:  # the server has ended what nobody uses
                self.idle.remove(caller)
            if status and not caller.is_last:
                self.idle.append(caller)
            else:
                self._selector.unregister(caller.socket)
                caller.socket.close()
                self._connected -= 1


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
    sources = addresses(int(sys.argv[5])) if sys.argv[5:] else ("",)
    requests = cycle(text.encode() for text in json.loads(Path(file).read_text(encoding="utf-8")))
    load = Load(url, requests, sources)
    if rate:
        load.open(rate, seconds)
    else:
        load.closed(seconds)
    print(json.dumps(summary(load.answers, seconds)))


if __name__ == "__main__":
    main()
