"""The examples of what is the service's own fault or limit: 429, 500 and 503, of each operation that has them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.app import THREADS, App
from api.commands.seed_contract import key_of
from api.web.contract import Operation
from tests import live
from tests.auth.flows import at_once
from tests.contract.examples.world import UNKNOWN_COOKIE, World, examples
from tests.infra.link import closed_port
from tests.infra.outages import Query, all_connections_taken, locked, read_only, without_tables
from tests.spec import CONTRACT, spec_of
from tests.web.apps import app_with, client_of, serving

pytestmark = pytest.mark.slow
NEEDED_BY_ALL = ("users", "sessions", "refresh_tokens", "login_failures")


@pytest.fixture
def world(environment: dict[str, str], clean: None) -> Iterator[World]:
    with app_with(environment, RATE_LIMIT_SCALE="1000") as app, client_of(app) as client:
        yield World(app, client)


def test_used_up(environment: dict[str, str], world: World) -> None:
    with serving(environment, RATE_LIMIT_SCALE="0.001") as client:
        for operation in showing("429", "used_up"):
            world.send(world.ask(operation), client)
            check(world, operation, client, "429", "used_up")


def test_fault(world: World, query: Query) -> None:
    with without_tables(query, *NEEDED_BY_ALL):
        for operation in showing("500", "fault"):
            check(world, operation, world.client, "500", "fault")


def test_no_database(environment: dict[str, str], world: World) -> None:
    nowhere = f"postgresql://nobody@127.0.0.1:{closed_port()}/x"
    with serving(environment, DATABASE_URL=nowhere, RATE_LIMIT_SCALE="1000") as client:
        for operation in showing("503", "no_database"):
            check(world, operation, client, "503", "no_database")


def test_read_only(environment: dict[str, str], app: App, world: World, query: Query) -> None:
    with read_only(app, query), serving(environment, RATE_LIMIT_SCALE="1000") as client:
        for operation in showing("503", "read_only"):
            check(world, operation, client, "503", "read_only")
        for operation in filter(reads, CONTRACT.operations.values()):
            ask = world.ask(operation)
            if operation.policy.scope:
                ask.headers["X-API-Key"] = key_of("admin")
            assert world.send(ask, client).status_code == 200


def test_overloaded(environment: dict[str, str], world: World) -> None:
    with app_with(environment, RATE_LIMIT_SCALE="1000") as other, client_of(other) as client:
        operations = list(showing("503", "overloaded"))
        with all_connections_taken(other):
            check_all(world, operations, client, "503", "overloaded")


FEW = THREADS - 1


def test_too_slow(environment: dict[str, str], app: App, world: World, tmp_path: Path) -> None:
    operations = list(showing("503", "too_slow"))
    settings = environment | {"RATE_LIMIT_SCALE": "1000"}
    with live.serve(settings, tmp_path / "log") as server, server.client() as client:
        # So few that each has a thread, in whichever process: whoever waits for one is told something else.
        for first in range(0, len(operations), FEW):
            with locked(app, *NEEDED_BY_ALL):
                check_all(world, operations[first : first + FEW], client, "503", "too_slow")


def showing(status: str, name: str) -> Iterator[Operation]:
    for operation in CONTRACT.operations.values():
        response = spec_of(operation)["responses"].get(status, {})
        if name in examples(response):
            yield operation


def reads(operation: Operation) -> bool:
    return operation.method == "GET"


def check_all(
    world: World, operations: list[Operation], client: httpx.Client, status: str, name: str
) -> None:
    at_once(len(operations), lambda n: check(world, operations[n], client, status, name))


def check(world: World, operation: Operation, client: httpx.Client, status: str, name: str) -> Any:
    ask = world.ask(operation)
    ask.headers |= UNKNOWN_COOKIE  # whether it is good nobody can tell
    answer = world.send(ask, client)
    example = examples(spec_of(operation)["responses"][status])[name]

    assert answer.status_code == int(status), f"{operation.id}: {answer.text}"
    error = answer.json()["error"]
    assert error == example["error"] | {"request_id": answer.headers["X-Request-ID"]}
    return answer
