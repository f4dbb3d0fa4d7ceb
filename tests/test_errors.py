"""Expected failures: each has a status and a code that the contract explains."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from api import errors
from api.app import App
from api.errors import DomainError
from tests.spec import CONTRACT

DOCUMENTED: list[str] = CONTRACT.document["components"]["schemas"]["ErrorCode"]["enum"]


def kinds(parent: type[DomainError] = DomainError) -> Iterator[type[DomainError]]:
    for kind in parent.__subclasses__():
        if kind.__module__.startswith("api."):
            yield kind
            yield from kinds(kind)


@pytest.mark.usefixtures("app")
def test_every_code_stands_in_the_contract() -> None:
    assert {kind.code for kind in kinds()} | {"INTERNAL"} == set(DOCUMENTED)


def test_one_code_has_one_status(app: App) -> None:
    statuses: dict[str, set[int]] = {}
    for kind in kinds():
        statuses.setdefault(kind.code, set()).add(kind.status)

    assert [code for code, found in statuses.items() if len(found) > 1] == []


def test_who_has_to_wait_is_told_how_long() -> None:
    for err in (errors.RateLimited(7), errors.Unavailable(7), errors.Overloaded(7)):
        assert err.headers == {"Retry-After": "7"}
    assert errors.NotFound().headers == {}


def test_who_has_to_log_in_is_told_how() -> None:
    assert errors.Unauthorized().headers == {"WWW-Authenticate": 'Bearer realm="madang"'}
    assert 'error="invalid_token"' in errors.TokenExpired().headers["WWW-Authenticate"]


def test_a_method_that_is_refused_names_those_that_are_not() -> None:
    assert errors.MethodNotAllowed("GET, HEAD").headers == {"Allow": "GET, HEAD"}
