"""Prism between a client and the service: a proxy that holds requests and answers against the contract."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import httpx

from tests import live
from tests.contract.visitor import RAISED, SECTIONS, Visitor
from tests.spec import CONTRACT


class Proxies(httpx.BaseTransport):
    """Prism takes no notice of ``servers``, so that one stands before the API and one before the root.

    To the client it is the public https address: so it sends the cookie that is for https alone.
    """

    def __init__(self, api: int, root: int) -> None:
        self.api, self.root = api, root
        self.inner = httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        path = request.url.raw_path.decode()
        is_api = path.startswith(f"{CONTRACT.base_path}/")
        url = f"http://127.0.0.1:{self.api}{path.removeprefix(CONTRACT.base_path)}"
        return self.inner.handle_request(
            httpx.Request(
                request.method,
                url if is_api else f"http://127.0.0.1:{self.root}{path}",
                headers=request.headers,
                stream=request.stream,
                extensions=request.extensions,
            )
        )

    def close(self) -> None:
        self.inner.close()


PATIENCE = 120.0
"""Seconds; each takes three of the processor to start, and there are four."""


@dataclass(frozen=True)
class Prism:
    """Ports of the proxies before the API and before the root."""

    erring: tuple[int, int]
    noting: tuple[int, int]

    def strict(self) -> httpx.Client:
        """Prism answers in place of whoever breaks the contract."""
        return self._client(self.erring)

    def tolerant(self) -> httpx.Client:
        """Prism lets everything pass, and notes what was wrong."""
        return self._client(self.noting)

    def _client(self, ports: tuple[int, int]) -> httpx.Client:
        transport = Proxies(*ports)
        return httpx.Client(base_url=RAISED["PUBLIC_URL"], transport=transport, timeout=30)


@contextmanager
def standing_before(visitor: Visitor) -> Iterator[Prism]:
    """Started by the line of the page, but for ports, root and --errors."""
    strict, _ = SECTIONS["Prism"]
    strict_at_root = strict.replace("/api/v1 --errors", " --errors")
    commands = [strict, strict_at_root, *(tolerant(line) for line in (strict, strict_at_root))]
    ports = [live.free_port() for _ in commands]
    assert len(set(commands)) == len(commands)
    with ExitStack() as stack:
        for command, port in zip(commands, ports, strict=True):
            line = command.replace("--port 4010", f"--port {port}")
            stack.enter_context(visitor.meanwhile(line, visitor.home / f"log-{port}"))
        for port in ports:
            live.wait_for_port(port, PATIENCE)
        yield Prism((ports[0], ports[1]), (ports[2], ports[3]))


def tolerant(command: str) -> str:
    return command.replace(" --errors", "")
