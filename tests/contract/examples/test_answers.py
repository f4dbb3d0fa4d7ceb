"""Each example of a request is answered well, and each example of a good answer is what comes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from api.commands.seed_contract import COMMENT_OF_NOBODY
from api.web.contract import Operation
from tests.contract.examples.world import OPERATIONS, Ask, World, examples, parameters
from tests.infra.link import closed_port
from tests.spec import CONTRACT, spec_of
from tests.web.apps import serving

OF_THE_MOMENT = {"expires_at", "last_used_at", "remaining", "resets_in"}
OF_ANYTHING_NEW = {
    *("access_token", "created_at", "hint", "id", "ip", "key", "published_at", "updated_at"),
}
PARAMETERS = {
    "list_users": {"username": "hana"},
    "list_posts": {"size": "1"},
    "list_user_posts": {"size": "1"},
    "list_accounts": {"email": "hana@"},
    "list_audit_logs": {"cursor": "", "action": "authz_admin"},
}
"""Without them a list is more than its example shows."""
DOCUMENTS = {"get_openapi_json", "get_openapi_yaml"}
"""Shown by their first lines."""


@pytest.mark.parametrize(
    ("operation", "status", "name", "example"),
    [
        pytest.param(operation, int(status), name, example, id=f"{operation.id}-{status}-{name}")
        for operation in OPERATIONS
        for status, response in spec_of(operation)["responses"].items()
        if status < "300"
        for name, example in examples(response).items()
        if name != "degraded"  # below
    ],
)
def test_are_as_in_the_example(
    world: World, operation: Operation, status: int, name: str, example: dict[str, Any]
) -> None:
    if operation.id == "list_audit_logs":
        world.send(world.ask(CONTRACT.operations["block_user"]))

    answer = world.send(meant_by(name, world.ask(operation)))

    assert answer.status_code == status
    told = answer.json()
    if operation.id in DOCUMENTS:
        assert example["info"].items() <= told["info"].items()
        return
    is_new = operation.method != "GET" or operation.id == "list_audit_logs"
    changing = OF_THE_MOMENT | (OF_ANYTHING_NEW if is_new else set())
    assert blurred(told, changing) == blurred(example, changing)


def test_without_redis_too(environment: dict[str, str]) -> None:
    example = examples(spec_of(CONTRACT.operations["get_readiness"])["responses"]["200"])
    with serving(environment, REDIS_URL=f"redis://127.0.0.1:{closed_port()}") as client:
        assert client.get("/readyz").json() == example["degraded"]


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        pytest.param(operation, body, id=f"{operation.id}-{name}")
        for operation in OPERATIONS
        for name, body in examples(spec_of(operation).get("requestBody", {})).items()
    ],
)
def test_requests(world: World, operation: Operation, body: Any) -> None:
    assert world.send(replace(world.ask(operation), json=body)).is_success


@pytest.mark.parametrize(
    ("operation", "name", "example"), parameters(lambda operation: operation.method != "GET")
)
def test_parameters(world: World, operation: Operation, name: str, example: str) -> None:
    ask = world.ask(operation)
    ask.add(name, example)

    status = world.send(ask).status_code

    assert status == 412 if name == "If-Match" else status < 300


def test_no_answer_with_a_body_lacks_an_example() -> None:
    """So all of them are reached, here, by the refusals or by the faults; pages and YAML by tests of their own."""
    missing = [
        f"{operation.id} {status}"
        for operation in OPERATIONS
        for status, response in spec_of(operation)["responses"].items()
        if status not in {"204", "304"} and not examples(response)
        if (status, operation.offers)
        not in {("200", ("text/html",)), ("200", ("application/yaml",))}
    ]
    assert missing == []


def meant_by(example: str, ask: Ask) -> Ask:
    """The request that the answer of this name is to."""
    bodies = examples(spec_of(ask.operation).get("requestBody", {}))
    body = bodies.get({"hidden": "hide"}.get(example, example), ask.json)
    ask = replace(ask, params=PARAMETERS.get(ask.operation.id, {}), json=body)
    if example == "public":
        ask.who = "stranger"
    if example == "nobody":
        ask.path = ask.operation.path.replace("{id}", str(COMMENT_OF_NOBODY))
    return ask


def blurred(value: Any, changing: set[str]) -> Any:
    """Without what is different each time; whether there is something stays."""
    if isinstance(value, list):
        return [blurred(item, changing) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: "some" if key in changing and inner is not None else blurred(inner, changing)
        for key, inner in value.items()
    }
