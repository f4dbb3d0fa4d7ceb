"""What the contract's examples say of requests that change nothing: refusals, unknown parameters, what one has seen."""

from __future__ import annotations

from typing import Any

import pytest

from api.web.contract import Operation
from tests.contract.examples.refusals import RECIPES
from tests.contract.examples.world import OPERATIONS, World, examples, parameters
from tests.spec import spec_of

OUR_FAULTS = {"429", "500", "503"}


@pytest.mark.parametrize(
    ("operation", "status", "name", "example"),
    [
        pytest.param(operation, int(status), name, example, id=f"{operation.id}-{status}-{name}")
        for operation in OPERATIONS
        for status, response in spec_of(operation)["responses"].items()
        if status >= "400" and status not in OUR_FAULTS
        for name, example in examples(response).items()
    ],
)
def test_are_told_as_in_the_example(
    lasting: World, operation: Operation, status: int, name: str, example: dict[str, Any]
) -> None:
    answer = RECIPES[name](lasting, lasting.ask(operation))

    assert answer.status_code == status, answer.text
    told = answer.json()["error"]
    assert told == example["error"] | {"request_id": answer.headers["X-Request-ID"]}


@pytest.mark.parametrize(
    ("operation", "name", "example"), parameters(lambda operation: operation.method == "GET")
)
def test_examples_of_parameters(
    lasting: World, operation: Operation, name: str, example: str
) -> None:
    ask = lasting.ask(operation)
    ask.add(name, example)

    assert lasting.send(ask).is_success


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)
def test_what_one_has_seen(lasting: World, operation: Operation) -> None:
    if "304" not in spec_of(operation)["responses"]:
        return
    ask = lasting.ask(operation)
    ask.add("If-None-Match", lasting.send(ask).headers["ETag"])

    assert lasting.send(ask).status_code == 304
