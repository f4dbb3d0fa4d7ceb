"""Breaks the contract or its code in five ways for each operation, and runs the tests on the result.

    python -m tests.contract.mutations             all of them
    python -m tests.contract.mutations --sample    one for each sixth operation, and each way as often as another

Each mutation is made in a copy of the project and must turn the tests red. Prints how many were
caught; exits with 1 when one was not.
"""

from __future__ import annotations

import copy
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from typing import Any

import yaml
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from api.web.contract import Contract, Operation
from scripts import embedded

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("api", "docs", "migrations", "openapi", "scripts", "tests", "setup.cfg", "pyproject.toml")
AT_ONCE = 2
CONTRACT = Contract.load()
OPERATIONS = ["tests/contract/test_every_operation.py"]
FRESHNESS = ["tests/contract/test_bundle.py::test_the_committed_bundle_is_fresh"]

Mutation = Callable[[Path, Operation], None]


def drop_a_field(project: Path, operation: Operation) -> None:
    """The code answers a field that the contract no longer knows."""
    document, schema = _body_of(operation)
    del schema["properties"][schema["required"].pop()]
    _write(project, document)


def change_a_type(project: Path, operation: Operation) -> None:
    """The contract promises another type than the code answers."""
    document, schema = _body_of(operation)
    schema["properties"][next(iter(schema["properties"]))] = {"type": "boolean"}
    _write(project, document)


def drop_a_status(project: Path, operation: Operation) -> None:
    """The answer to a good request is no longer documented."""
    document = copy.deepcopy(CONTRACT.document)
    responses = _spec(document, operation)["responses"]
    del responses[_success(responses)]
    _write(project, document)


def rename_a_handler(project: Path, operation: Operation) -> None:
    """The contract names an operation that no code answers."""
    document = copy.deepcopy(CONTRACT.document)
    _spec(document, operation)["operationId"] += "_renamed"
    _write(project, document)


def leave_the_bundle_stale(project: Path, operation: Operation) -> None:
    """A source was edited and not bundled."""
    index = yaml.safe_load((project / "openapi" / "openapi.yaml").read_text())
    source = project / "openapi" / index["paths"][_template(operation)]["$ref"]
    of_the_operation = rf"(^  operationId: {operation.id}\n(?:.*\n)*?  summary: )"
    """Two spaces deep; a link names an operation too, further in."""
    edited, count = re.subn(of_the_operation, r"\1Edited ", source.read_text(), flags=re.MULTILINE)
    assert count == 1, f"{source} does not look as expected"
    source.write_text(edited)


MUTATIONS: tuple[Mutation, ...] = (
    drop_a_field,
    change_a_type,
    drop_a_status,
    rename_a_handler,
    leave_the_bundle_stale,
)


def main(*, sample: bool) -> int:
    jobs = [
        (mutate, operation)
        for number, operation in enumerate(CONTRACT.operations.values())
        for way, mutate in enumerate(MUTATIONS)
        if not sample or (number % 6 == 0 and way == number // 6 % len(MUTATIONS))
    ]
    with (
        embedded.scratch_home() as home,
        _databases(home) as free,
        ThreadPoolExecutor(AT_ONCE) as pool,
    ):
        sound = not _fail([*FRESHNESS, *OPERATIONS], lambda _: None, free)
        assert sound, "the tests fail on a copy in which nothing was changed"
        caught = list(pool.map(lambda job: _is_caught(job[0], job[1], free), jobs))
    for (mutate, operation), was_caught in zip(jobs, caught, strict=True):
        if not was_caught:
            print(f"not caught: {mutate.__name__} on {operation.id}")
    print(f"{len(jobs)} mutations, {sum(caught)} caught")
    return 0 if all(caught) else 1


def _is_caught(mutate: Mutation, operation: Operation, free: Queue[dict[str, str]]) -> bool:
    """Run the contract tests that concern the operation on a mutated copy."""
    tests = [*OPERATIONS, "-k", operation.id]
    if mutate is leave_the_bundle_stale:
        tests = FRESHNESS
    return _fail(tests, lambda project: mutate(project, operation), free)


def _fail(tests: list[str], edit: Callable[[Path], None], free: Queue[dict[str, str]]) -> bool:
    """Whether tests turn red on a copy of the project that was edited so."""
    servers = free.get()
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        for part in PARTS:
            _copy(ROOT / part, project / part)
        edit(project)
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
        environment = (
            os.environ | servers | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        )  # they cost seconds
        run = subprocess.run(
            command, cwd=project, env=environment, capture_output=True, check=False
        )
    free.put(servers)
    assert run.returncode in (0, 1), run.stdout.decode()
    return run.returncode == 1


@contextmanager
def _databases(home: Path) -> Iterator[Queue[dict[str, str]]]:
    """A database and a Redis number for each run at a time, handed out by a queue."""
    with embedded.servers(home, fast=True) as servers:
        url = make_url(servers.database_url).set(drivername="postgresql+psycopg2")
        engine = create_engine(url, isolation_level="AUTOCOMMIT")
        free: Queue[dict[str, str]] = Queue()
        with engine.connect() as connection:
            for number in range(AT_ONCE):
                connection.execute(text(f"CREATE DATABASE mutation_{number}"))
                free.put(_urls(servers, number))
        engine.dispose()
        yield free


def _urls(servers: embedded.Servers, number: int) -> dict[str, str]:
    database = make_url(servers.database_url).set(database=f"mutation_{number}")
    return {
        "TEST_DATABASE_URL": database.render_as_string(hide_password=False),
        "TEST_REDIS_URL": f"{servers.redis_url.rpartition('/')[0]}/{number}",
    }


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("node_modules"))
    else:
        shutil.copy(source, target)


def _body_of(operation: Operation) -> tuple[dict[str, Any], dict[str, Any]]:
    """A copy of the contract, and in it the schema of what this operation alone answers.

    That is ``data`` of a good answer, or ``error`` of a refusal where a good one has no envelope.
    """
    document = copy.deepcopy(CONTRACT.document)
    responses = _spec(document, operation)["responses"]
    for status, key in ((_success(responses), "data"), ("400", "error")):
        response = copy.deepcopy(CONTRACT.resolve(responses[status]))
        content = response.get("content", {}).get("application/json")
        schema = copy.deepcopy(CONTRACT.resolve(content["schema"])) if content else {}
        if key in schema.get("properties", {}):
            inner = copy.deepcopy(CONTRACT.resolve(schema["properties"][key]))
            schema["properties"][key] = inner
            content["schema"] = schema
            responses[status] = response
            return document, inner
    raise AssertionError(f"{operation.id} answers no JSON")


def _success(responses: dict[str, Any]) -> str:
    return next(status for status in responses if status.startswith("2"))


def _spec(document: dict[str, Any], operation: Operation) -> dict[str, Any]:
    found: dict[str, Any] = document["paths"][_template(operation)][operation.method.lower()]
    return found


def _template(operation: Operation) -> str:
    return operation.path if operation.is_root else operation.path.removeprefix(CONTRACT.base_path)


def _write(project: Path, document: dict[str, Any]) -> None:
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
    (project / "openapi" / "bundle.yaml").write_text(text)


if __name__ == "__main__":
    sys.exit(main(sample="--sample" in sys.argv))
