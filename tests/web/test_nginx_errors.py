"""What nginx answers by itself is told in the words of the service."""

from __future__ import annotations

import json
import re
from http import HTTPStatus

import pytest

from api.errors import (
    DomainError,
    InvalidInput,
    MethodNotAllowed,
    Overloaded,
    PayloadTooLarge,
)
from api.web.asgi.unparsable import FAULT
from api.web.errorhandler import shape
from tests.live import ROOT

PAGES = re.findall(
    r"return (\d+) '(.+)';", (ROOT / "nginx" / "errors.conf").read_text(encoding="utf-8")
)
SAID: dict[str, DomainError] = {
    "INVALID_INPUT": InvalidInput(FAULT),
    "METHOD_NOT_ALLOWED": MethodNotAllowed(""),
    "PAYLOAD_TOO_LARGE": PayloadTooLarge(),
    "OVERLOADED": Overloaded(),
}


@pytest.mark.parametrize(("status", "body"), PAGES)
def test_as_the_service_would(status: str, body: str) -> None:
    told = json.loads(body)

    ours = shape(SAID[told["error"]["code"]], request_id="$request_id")

    assert (HTTPStatus(int(status)), told) == (ours.status, json.loads(ours.body))


def test_all_are_there() -> None:
    assert {json.loads(body)["error"]["code"] for _, body in PAGES} == SAID.keys()
