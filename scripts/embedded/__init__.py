"""Real servers out of packages: for ./scripts/run and the tests, never for a deployment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from scripts.embedded.place import scratch_home, settle
from scripts.embedded.postgres import Postgres
from scripts.embedded.valkey import Valkey

__all__ = ["Postgres", "Servers", "Valkey", "scratch_home", "servers", "settle", "stop_leftovers"]


@dataclass(frozen=True)
class Servers:
    """The running servers; one that was not asked for is ``None``, and its address must not be used."""

    postgres: Postgres | None
    valkey: Valkey | None

    @property
    def database_url(self) -> str:
        assert self.postgres is not None, "started without a database"
        return self.postgres.url

    @property
    def redis_url(self) -> str:
        assert self.valkey is not None, "started without Redis"
        return self.valkey.url


def stop_leftovers(home: Path) -> None:
    """End what a killed supervisor left running on this folder; on Linux it ends by itself."""
    Postgres(home).stop_leftover()
    Valkey(home).stop_leftover()


@contextmanager
def servers(
    home: Path, *, database: bool = True, redis: bool = True, fast: bool = False
) -> Iterator[Servers]:
    """Run the servers on what ``home`` holds, stop them at the end. ``fast`` gives durability away for speed."""
    home = settle(home)
    running = Servers(
        Postgres(home, fast=fast) if database else None, Valkey(home) if redis else None
    )
    with ExitStack() as stack:
        for server in (running.postgres, running.valkey):
            if server is not None:
                stack.callback(server.stop)
                server.start()
        yield running
