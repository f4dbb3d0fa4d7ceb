"""The links of the contract lead somewhere: tools walk from sign-up to a deleted comment by them."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import pytest

from api.web.contract import Operation
from tests.spec import CONTRACT, spec_of

EXPRESSION = re.compile(r"\$(request|response)\.(?:body#/(.+)|(path|query|header)\.(.+))")


class Link(NamedTuple):
    source: Operation
    answer: dict[str, Any]
    spec: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.source.id}-{self.spec['operationId']}"


def found_links() -> list[Link]:
    return [
        Link(operation, answer, link)
        for operation in CONTRACT.operations.values()
        for answer in map(CONTRACT.resolve, spec_of(operation)["responses"].values())
        for link in answer.get("links", {}).values()
    ]


LINKS = found_links()
every_link = pytest.mark.parametrize("link", LINKS, ids=str)


def step(schema: dict[str, Any], key: str) -> dict[str, Any]:
    """One key of a JSON pointer further into a schema."""
    return CONTRACT.resolve(CONTRACT.resolve(schema)["properties"][key])


def is_always_there(schema: dict[str, Any], pointer: str) -> bool:
    """Not an item of a list, which may be empty, nor what may be missing or null."""
    for key in pointer.split("/"):
        schema = CONTRACT.resolve(schema)
        if key not in schema.get("required", ()) or step(schema, key).get("nullable"):
            return False
        schema = step(schema, key)
    return True


def found_by(expression: str, link: Link) -> dict[str, Any]:
    """The schema of what a runtime expression takes out of request or answer."""
    match = EXPRESSION.fullmatch(expression)
    assert match, f"{expression} is no runtime expression of those in use"
    side, pointer, place, name = match.groups()
    if pointer is None:
        assert side == "request"
        [schema] = [
            p["schema"] for p in link.source.parameters if (p["in"], p["name"]) == (place, name)
        ]
        return schema
    schema = link.answer["content"]["application/json"]["schema"]
    if side == "request":
        assert link.source.body is not None
        schema = link.source.body
    assert is_always_there(schema, pointer), f"{pointer} may be missing"
    for key in pointer.split("/"):
        schema = step(schema, key)
    return schema


@every_link
def test_a_link_leads_to_an_operation_with_all_that_its_path_needs(link: Link) -> None:
    target = CONTRACT.operations[link.spec["operationId"]]
    given = set(link.spec.get("parameters", {}))

    assert given <= {parameter["name"] for parameter in target.parameters}
    assert {p["name"] for p in target.parameters if p.get("required")} <= given


@every_link
def test_what_a_parameter_is_given_fits_it(link: Link) -> None:
    target = CONTRACT.operations[link.spec["operationId"]]
    wanted = {parameter["name"]: parameter["schema"] for parameter in target.parameters}

    for name, expression in link.spec.get("parameters", {}).items():
        assert found_by(expression, link) == wanted[name]


@every_link
def test_no_link_gives_a_body(link: Link) -> None:
    """A known trap: openapi-generator refuses a contract in which that is an object, as OpenAPI allows."""
    assert "requestBody" not in link.spec


def test_one_can_walk_from_sign_up_to_whatever_one_writes() -> None:
    ways = {(link.source.id, link.spec["operationId"]) for link in LINKS}
    seen = {"sign_up"}
    while more := {target for source, target in ways if source in seen} - seen:
        seen |= more

    assert {"log_in", "get_me", "get_user", "list_user_posts"} <= seen
    assert {"create_post", "get_post", "update_post", "delete_post"} <= seen
    assert {"create_comment", "get_comment", "update_comment", "delete_comment"} <= seen
    assert "list_comments" in seen
