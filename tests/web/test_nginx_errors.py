"""What nginx answers by itself is told in the words of the service, and has the headers of its answers."""

from __future__ import annotations

import json
import re
from http import HTTPStatus

import pytest

from api.errors import (
    DomainError,
    Forbidden,
    InvalidInput,
    MethodNotAllowed,
    NotFound,
    Overloaded,
    PayloadTooLarge,
)
from api.web.asgi.entry import API_HEADERS, HSTS
from api.web.asgi.unparsable import FAULT
from api.web.errorhandler import shape
from tests import nginx

TEXT = (nginx.SOURCE / "errors.conf").read_text(encoding="utf-8")
PAGES = re.findall(r"location = /\.madang/([a-z-]+) \{\s+return (\d+) '(.+)';", TEXT)
SAID: dict[str, DomainError] = {
    "unparsable": InvalidInput(FAULT),
    "unknown-host": InvalidInput({"host": "is not the name of this service"}),
    "plain": Forbidden({"url": "has to begin with https://"}),
    "not-found": NotFound(),
    "method": MethodNotAllowed(""),
    "too-large": PayloadTooLarge(),
    "overloaded": Overloaded(),
}


@pytest.mark.parametrize(("name", "status", "body"), PAGES)
def test_as_the_service_would(name: str, status: str, body: str) -> None:
    ours = shape(SAID[name], request_id="$trace")

    assert (HTTPStatus(int(status)), json.loads(body)) == (ours.status, json.loads(ours.body))


def test_all_are_there() -> None:
    assert {name for name, _, _ in PAGES} == SAID.keys()


def test_headers_are_those_of_the_service() -> None:
    found = {name: value.strip('"') for name, value in ADDED}

    assert found == API_HEADERS | {
        "X-Request-ID": "$trace",
        "Retry-After": "$retry_after",
        "Strict-Transport-Security": "$hsts",
    }
    configuration = (nginx.SOURCE / "nginx.conf").read_text(encoding="utf-8")
    assert f'on "{HSTS}";' in configuration
    [pauses] = re.findall(r"map \$request_id \$pause \{(.+?)\}", configuration, re.DOTALL)
    waits = set(re.findall(r" (\d+);", pauses))
    assert waits == {Overloaded().headers["Retry-After"] for _ in range(1_000)}


ADDED = re.findall(r"add_header (\S+) (\".+\"|\S+) always;", TEXT)
