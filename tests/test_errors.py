"""Expected failures: each has a status and a code that the contract explains."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from api import errors
from api.errors import DomainError
from api.web.errorhandler import shape
from tests.spec import CONTRACT

DOCUMENTED = CONTRACT.document["components"]["schemas"]["ErrorCode"]["x-errors"]


def kinds(parent: type[DomainError] = DomainError) -> Iterator[type[DomainError]]:
    for kind in parent.__subclasses__():
        if kind.__module__.startswith("api."):
            yield kind
            yield from kinds(kind)


def statuses() -> dict[str, int]:
    """By code, of everything the service can refuse with; a bug is a refusal too."""
    bug = shape(None, request_id="")
    found = {json.loads(bug.body)["error"]["code"]: bug.status.value}
    for kind in kinds():
        assert found.setdefault(kind.code, kind.status) == kind.status, "one code, one status"
    return found


@pytest.mark.usefixtures("app")
def test_the_codes_and_statuses_are_those_of_the_contract() -> None:
    assert statuses() == {code: entry["status"] for code, entry in DOCUMENTED.items()}


def test_who_has_to_wait_is_told_how_long() -> None:
    for err in (errors.RateLimited(7), errors.Unavailable(7), errors.Overloaded(7)):
        assert err.headers == {"Retry-After": "7"}
    assert errors.NotFound().headers == {}


def test_who_has_to_log_in_is_told_how() -> None:
    assert errors.Unauthorized().headers == {"WWW-Authenticate": 'Bearer realm="madang"'}
    assert 'error="invalid_token"' in errors.TokenExpired().headers["WWW-Authenticate"]


def test_a_method_that_is_refused_names_those_that_are_not() -> None:
    assert errors.MethodNotAllowed("GET, HEAD").headers == {"Allow": "GET, HEAD"}
