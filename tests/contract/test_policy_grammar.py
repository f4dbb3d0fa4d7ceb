"""Who may do what, and how often, stands in the contract in a grammar of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
import yaml

from scripts.bundle_openapi import ROOT

BUNDLE: dict[str, Any] = yaml.safe_load((ROOT / "bundle.yaml").read_text(encoding="utf-8"))
GRAMMAR: dict[str, Any] = json.loads((ROOT / "policy.schema.json").read_text(encoding="utf-8"))
POLICY = jsonschema_rs.Draft202012Validator(GRAMMAR)
LIMITS = jsonschema_rs.Draft202012Validator(
    {"$ref": "#/$defs/rateLimits", "$defs": GRAMMAR["$defs"]}
)
ERRORS = jsonschema_rs.Draft202012Validator({"$ref": "#/$defs/errors", "$defs": GRAMMAR["$defs"]})
METHODS = ("get", "put", "post", "patch", "delete")
BEARER: list[dict[str, list[str]]] = [{"bearerAuth": []}]


def operations() -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    for item in BUNDLE["paths"].values():
        for method in METHODS:
            if method in item:
                yield method, item[method], item


every_operation = pytest.mark.parametrize(
    ("method", "operation", "item"),
    [
        pytest.param(method, operation, item, id=operation["operationId"])
        for method, operation, item in operations()
    ],
)


@every_operation
def test_a_policy_follows_the_grammar(
    method: str, operation: dict[str, Any], item: dict[str, Any]
) -> None:
    POLICY.validate(operation["x-policy"])


@every_operation
def test_a_role_is_demanded_exactly_where_a_token_is(
    method: str, operation: dict[str, Any], item: dict[str, Any]
) -> None:
    security = operation.get("security", BUNDLE["security"])
    needs_token = security in (BEARER, [*BEARER, {"apiKey": []}])
    assert ({"apiKey": []} in security) == ("scope" in operation["x-policy"])
    assert (operation["x-policy"]["role"] != "anyone") == needs_token


@every_operation
def test_the_scope_fits_the_method(
    method: str, operation: dict[str, Any], item: dict[str, Any]
) -> None:
    """None where sessions, keys or accounts begin or end, where administrators act, and at the root."""
    scope = operation["x-policy"].get("scope")
    ends_an_account = operation["operationId"] in {"delete_me", "delete_user"}
    if operation["tags"][0] in {"Auth", "Keys", "Admin"} or ends_an_account or "servers" in item:
        assert scope is None
    else:
        assert scope == ("read" if method == "get" else "write")


@every_operation
def test_every_caller_of_the_api_is_limited(
    method: str, operation: dict[str, Any], item: dict[str, Any]
) -> None:
    names = operation["x-policy"].get("rate_limit", [])
    counted = {BUNDLE["x-rate-limits"][name]["when"] for name in names}
    if "servers" in item:
        assert not names
    else:
        by_key = {"api_key"} if "scope" in operation["x-policy"] else set()
        counted -= {"authenticated"}
        assert "always" in counted or counted == {"anonymous", "token"} | by_key


@every_operation
def test_taking_a_password_means_hashing_it(
    method: str, operation: dict[str, Any], item: dict[str, Any]
) -> None:
    takes_password = "Password" in str(operation.get("requestBody")) or "LogIn" in str(
        operation.get("requestBody")
    )
    assert operation["x-policy"].get("hashes_password", False) == takes_password


def test_the_table_of_limits_follows_the_grammar() -> None:
    LIMITS.validate(BUNDLE["x-rate-limits"])


def test_the_table_of_errors_follows_the_grammar() -> None:
    ERRORS.validate(BUNDLE["components"]["schemas"]["ErrorCode"]["x-errors"])


@pytest.mark.parametrize(
    "change",
    [
        {"status": 200},
        {"status": "404"},
        {"meaning": ""},
        {"meaning": "no sentence"},
        {"remedy": None},
        {"cause": "Something."},
    ],
    ids=str,
)
def test_a_wrong_error_is_refused(change: dict[str, Any]) -> None:
    entry = {"status": 404, "meaning": "Nothing there.", "remedy": "Check the id."}

    assert ERRORS.is_valid({"NOT_FOUND": entry})
    assert not ERRORS.is_valid({"NOT_FOUND": entry | change})
    assert not ERRORS.is_valid({"not found": entry})


def test_every_limit_is_used() -> None:
    used = {
        name
        for _, operation, _ in operations()
        for name in operation["x-policy"].get("rate_limit", [])
    }
    assert used == set(BUNDLE["x-rate-limits"])


@pytest.mark.parametrize(
    "policy",
    [
        {},
        {"rate_limit": ["user"]},
        {"role": "root"},
        {"role": None},
        {"role": "user"},
        {"role": "admin", "scope": "write"},
        {"role": "anyone", "scope": "delete"},
        {"role": "anyone", "rate_limit": []},
        {"role": "anyone", "rate_limit": "user"},
        {"role": "anyone", "rate_limit": ["user", "user"]},
        {"role": "anyone", "cache": 0},
        {"role": "anyone", "cache": "60"},
        {"role": "anyone", "idempotent": False},
        {"role": "anyone", "hashes_password": False},
        {"role": "anyone", "roles": ["admin"]},
    ],
    ids=str,
)
def test_a_wrong_policy_is_refused(policy: dict[str, Any]) -> None:
    assert not POLICY.is_valid(policy)


@pytest.mark.parametrize(
    "policy",
    [
        {"role": "anyone"},
        {"role": "anyone", "scope": "read", "rate_limit": ["anonymous", "user"], "cache": 60},
        {"role": "user", "scope": "write", "rate_limit": ["user"], "idempotent": True},
        {"role": "anyone", "rate_limit": ["login"], "hashes_password": True},
    ],
    ids=str,
)
def test_a_right_policy_is_taken(policy: dict[str, Any]) -> None:
    POLICY.validate(policy)


@pytest.mark.parametrize(
    "change",
    [
        {"limit": 0},
        {"window": 86_401},
        {"by": "session"},
        {"by": "user", "when": "always"},
        {"burst": 5},
    ],
    ids=str,
)
def test_a_wrong_limit_is_refused(change: dict[str, Any]) -> None:
    anonymous = BUNDLE["x-rate-limits"]["anonymous"]
    assert not LIMITS.is_valid({"anonymous": {**anonymous, **change}})
    assert LIMITS.is_valid({"anonymous": anonymous})
