"""A wire between the service and a server that a test can cut, leave dead, and mend."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Link:
    """Passes bytes on to *host*:*port*, from a port of its own that stays the same."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._ends: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.port = 0
        self.mend()

    def mend(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        self._start(self._accept, self._listener)

    def cut(self) -> None:
        """Refuse whoever comes, and hang up on whoever is there."""
        self._listener.close()
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        for end in self._ends:
            end.close()
        self._ends, self._threads = [], []

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            listener.settimeout(0.05)  # closing a listener does not wake who waits at it
            while True:
                try:
                    near, _ = listener.accept()
                except TimeoutError:
                    continue
                far = socket.create_connection(self._target)
                self._ends += [near, far]
                near.settimeout(None)
                self._relay(near, far)

    def _relay(self, near: socket.socket, far: socket.socket) -> None:
        self._start(_pass_on, near, far)
        self._start(_pass_on, far, near)

    def _start(self, target: object, *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()


class SlowLink(Link):
    """What the service says takes its time."""

    delay = 0.0
    """Seconds."""

    def _relay(self, near: socket.socket, far: socket.socket) -> None:
        self._start(self._pass_on_slowly, near, far)
        self._start(_pass_on, far, near)

    def _pass_on_slowly(self, near: socket.socket, far: socket.socket) -> None:
        with suppress(OSError):
            while data := near.recv(65_536):
                time.sleep(self.delay)
                far.sendall(data)
        with suppress(OSError):
            far.shutdown(socket.SHUT_WR)


class CommitTrap(Link):
    """Once armed, it keeps PostgreSQL's answer to a COMMIT to itself."""

    def __init__(self, host: str, port: int) -> None:
        self.armed = threading.Event()
        self.sprung = threading.Event()
        """Set when PostgreSQL has committed and nobody knows."""
        super().__init__(host, port)

    def _relay(self, near: socket.socket, far: socket.socket) -> None:
        mute = threading.Event()
        self._start(self._ask, near, far, mute)
        self._start(self._answer, far, near, mute)

    def _ask(self, near: socket.socket, far: socket.socket, mute: threading.Event) -> None:
        with suppress(OSError):
            while data := near.recv(65_536):
                if self.armed.is_set() and b"COMMIT\0" in data:
                    mute.set()
                far.sendall(data)
            far.shutdown(socket.SHUT_WR)

    def _answer(self, far: socket.socket, near: socket.socket, mute: threading.Event) -> None:
        with suppress(OSError):
            while data := far.recv(65_536):
                if mute.is_set():
                    self.sprung.set()
                else:
                    near.sendall(data)


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


@contextmanager
def link(host: str, port: int) -> Iterator[Link]:
    wire = Link(host, port)
    try:
        yield wire
    finally:
        wire.cut()


@contextmanager
def silence() -> Iterator[int]:
    """A port that takes connections and never says anything."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        yield listener.getsockname()[1]


def closed_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
