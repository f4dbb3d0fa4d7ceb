"""Lets nobody wait for whoever reads the log: lines go through a bounded queue to one thread that writes them."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable, Iterator
from queue import SimpleQueue
from select import PIPE_BUF
from threading import Thread

from api.infra.logging import RequestFields
from api.infra.metrics import LOG_LINES_LOST

MOST = 10_000
"""Lines that may wait, some 10 MB. What comes on top of them is lost, and counted."""
GATHERING = 0.005
"""Seconds: a thread that wakes for each line takes more from the others than the line."""
AT_ONCE = 100
"""Lines that it takes out of the queue."""
PATIENCE = 2.0
"""Seconds for the last lines when the process ends."""


class Queued(logging.Handler):
    """Writes to the file descriptor itself: a stream has a lock, on which the end of the process would wait."""

    def __init__(self, formatter: logging.Formatter | None, target: int) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self.addFilter(RequestFields())
        self._target = target
        self._records: SimpleQueue[logging.LogRecord | None] = SimpleQueue()
        self._thread = Thread(target=self._write, name="log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        if self._records.qsize() >= MOST:
            LOG_LINES_LOST.inc()
            return
        record.msg, record.args = record.getMessage(), None  # arguments may change meanwhile
        self._records.put(record)

    def close(self) -> None:
        """Write what waits, unless nobody takes it. ``logging`` calls this when the process ends."""
        self._records.put(None)
        self._thread.join(PATIENCE)
        super().close()

    def _write(self) -> None:
        records: list[logging.LogRecord | None] = []
        while None not in records:
            records = [self._records.get()]
            time.sleep(GATHERING)
            records += [self._records.get() for _ in range(min(self._records.qsize(), AT_ONCE))]
            for lines in _in_pieces(self._lines(records)):
                try:
                    _write_out(self._target, b"".join(lines))
                except OSError:  # a full disk, a reader that is gone: the service goes on
                    LOG_LINES_LOST.inc(len(lines))

    def _lines(self, records: list[logging.LogRecord | None]) -> Iterator[bytes]:
        for record in filter(None, records):
            try:
                yield f"{self.format(record)}\n".encode("utf-8", "backslashreplace")
            except Exception:  # what somebody logged cannot be told as text
                LOG_LINES_LOST.inc()


def _in_pieces(lines: Iterable[bytes]) -> Iterator[list[bytes]]:
    """As many at once as a pipe takes without those of other processes in between."""
    piece: list[bytes] = []
    size = 0
    for line in lines:
        size += len(line)
        if piece and size > PIPE_BUF:
            yield piece
            piece, size = [], len(line)
        piece.append(line)
    if piece:
        yield piece


def _write_out(target: int, data: bytes) -> None:
    while data:
        data = data[os.write(target, data) :]


def begin() -> None:
    """From now on no line of this process is written by the thread it comes from. Call it after a fork."""
    root = logging.getLogger()
    root.handlers[:] = [
        Queued(handler.formatter, handler.stream.fileno())
        for handler in root.handlers
        if isinstance(handler, logging.StreamHandler)
    ]
