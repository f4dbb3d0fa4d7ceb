"""Prism, which knows nothing of our own checks, finds that requests and answers follow the contract."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from api.web.contract import Operation
from tests import live, system
from tests.contract.prism import Prism, standing_before
from tests.contract.test_every_operation import CALLS, POST, Call, log_in, write_post
from tests.contract.visitor import RAISED, Visitor, check_out
from tests.people import PASSWORD, People, Person
from tests.spec import CONTRACT, spec_of

API = CONTRACT.base_path
UNKNOWN = "01a20547-abc9-7556-b949-68714accd4b0"
READS_NO = {"get_openapi_yaml"}
"""Prism takes YAML for a string."""
pytestmark = pytest.mark.slow

OPERATIONS = [CONTRACT.operations[name] for name in CALLS if name not in READS_NO]


@pytest.fixture(scope="module")
def prism(
    server: live.Server, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prism]:
    system.require_node_tools()
    home = tmp_path_factory.mktemp("prism")
    check_out(home, environment | RAISED)
    with standing_before(Visitor(home, server)) as prism:
        yield prism


@pytest.fixture
def ada(server: live.Server, people: People) -> Person:
    """Logged in at the service itself: tokens hold for one public address."""
    people("boss", role="admin")
    person = people("ada", role="admin")
    with server.client() as client:
        session = log_in(client, person).json()["data"]
    return replace(person, token=session["access_token"])


def violations(answer: httpx.Response, *, of: str) -> list[Any]:
    found = json.loads(answer.headers.get("sl-violations", "[]"))
    return [each for each in found if each["location"][0] == of]


def assert_from_the_service(answer: httpx.Response) -> None:
    assert answer.headers.get("Content-Type", "") != "application/problem+json", answer.text
    assert violations(answer, of="response") == []


@pytest.mark.parametrize("name", [operation.id for operation in OPERATIONS])
def test_what_is_meant_violates_nothing(name: str, prism: Prism, ada: Person) -> None:
    with prism.strict() as client:
        answer = CALLS[name](client, ada)

    assert_from_the_service(answer)
    assert answer.is_success
    assert violations(answer, of="request") == []


def test_prism_still_takes_yaml_for_a_string(prism: Prism) -> None:
    """When this fails, the page and this test can do without the exception."""
    with prism.tolerant() as client:
        [violation] = violations(client.get("/openapi.yaml"), of="response")

    assert violation["message"] == "Response body must be object"


class Asking:
    """An operation, asked with what the contract gives as example."""

    def __init__(self, operation: Operation, person: Person) -> None:
        self.operation, self.spec = operation, spec_of(operation)
        self.headers = {**person.auth, "X-Requested-With": "test"}
        if {"refreshCookie": []} in self.spec.get("security", []):
            self.headers["Cookie"] = "__Host-refresh_token=nobody"

    @property
    def body(self) -> Any:
        content = self.spec.get("requestBody", {}).get("content", {}).get("application/json", {})
        examples = content.get("examples", {}).values()
        return next((CONTRACT.resolve(example)["value"] for example in examples), None)

    def send(self, client: httpx.Client, **changes: Any) -> httpx.Response:
        headers = {**self.headers, **changes.pop("headers", {})}
        sent = {"json": self.body, "headers": headers, **changes}
        path = self.operation.path.replace("{id}", UNKNOWN)
        return client.request(self.operation.method, path, **sent)


REFUSALS: dict[int, dict[str, str]] = {
    401: {"Authorization": "Bearer nobody"},
    404: {},
    406: {"Accept": "image/png"},
}
ONE_KEY = {"Idempotency-Key": "the-same"}
RULES: dict[int, Call] = {
    304: lambda client, ada: client.get(
        write_post(client, ada), headers=ada.auth | {"If-None-Match": "*"}
    ),
    409: lambda client, ada: client.post(
        f"{API}/auth/signup",
        json={"email": ada.email, "username": "another", "password": PASSWORD},
    ),
    412: lambda client, ada: client.delete(
        write_post(client, ada), headers=ada.auth | {"If-Match": '"0"'}
    ),
    422: lambda client, ada: [
        client.post(f"{API}/posts", json=POST | {"title": title}, headers=ada.auth | ONE_KEY)
        for title in ("One", "Another")
    ][1],
}
BREACHES: dict[int, dict[str, Any]] = {
    400: {"params": {"nobody_knows": "this"}},
    413: {"json": {"body": "x" * 70_000}},
    415: {"content": "text", "json": None, "headers": {"Content-Type": "text/plain"}},
}


def refused(statuses: Iterable[int]) -> list[tuple[int, str]]:
    """Status and name of each operation that documents it. What is not there is not found only by its id."""
    return [
        (status, each.id)
        for status in statuses
        for each in OPERATIONS
        if str(status) in spec_of(each)["responses"] and (status != 404 or "{id}" in each.path)
    ]


@pytest.mark.parametrize(("status", "name"), refused(REFUSALS))
def test_a_refusal_violates_nothing(status: int, name: str, prism: Prism, ada: Person) -> None:
    with prism.strict() as client:
        answer = Asking(CONTRACT.operations[name], ada).send(client, headers=REFUSALS[status])

    assert_from_the_service(answer)
    assert answer.status_code == status


@pytest.mark.parametrize("status", RULES)
def test_an_answer_by_a_rule_violates_nothing(status: int, prism: Prism, ada: Person) -> None:
    with prism.strict() as client:
        answer = RULES[status](client, ada)

    assert_from_the_service(answer)
    assert answer.status_code == status


@pytest.mark.parametrize(("status", "name"), refused(BREACHES))
def test_who_breaks_the_contract_is_answered_as_documented(
    status: int, name: str, prism: Prism, ada: Person
) -> None:
    """Prism passes it on, and blames the request alone."""
    with prism.tolerant() as client:
        answer = Asking(CONTRACT.operations[name], ada).send(client, **BREACHES[status])

    assert_from_the_service(answer)
    assert answer.status_code == status
    assert violations(answer, of="request") or status == 400
