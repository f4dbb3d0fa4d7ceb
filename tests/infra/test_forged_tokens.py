"""T7, T18: thousands of tokens that were not issued, and none of them is accepted."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from uuid import uuid4

import pytest

from api.app import App
from api.infra.tokens import LONGEST
from tests.infra.forgery import (
    claims_of,
    flipped,
    header_of,
    random_headers,
    refused,
    reshaped,
    sign,
    swapped,
)

GENUINE = 20


@pytest.fixture(scope="module")
def genuine(app: App) -> list[str]:
    with app.flask.app_context():
        return [app.runtime.tokens.issue(uuid4(), uuid4()) for _ in range(GENUINE)]


def forged(genuine: list[str]) -> Iterator[str]:
    random = Random(7)
    for token, other in zip(genuine, genuine[1:] + genuine[:1], strict=True):
        yield from flipped(token, random)
        yield from reshaped(token)
        yield from swapped(token, other)
    for token in genuine[:4]:
        yield from random_headers(token, random)
    for _ in range(200):
        key = random.randbytes(random.randint(0, 40)).hex()
        yield sign(header_of(genuine[0]), claims_of(genuine[0]), key)
    for _ in range(500):
        yield random.randbytes(random.randint(0, 300)).decode("latin-1")


def test_none_is_accepted(app: App, genuine: list[str]) -> None:
    attempts = set(forged(genuine)) - set(genuine)

    accepted = [token for token in attempts if not refused(app.runtime.tokens, token)]

    assert len(attempts) >= 5000
    assert accepted == []
    assert not any(refused(app.runtime.tokens, token) for token in genuine)


def test_every_byte_of_a_token_matters(app: App, genuine: list[str]) -> None:
    """T7: whatever bit is turned, in twenty tokens."""
    for token in genuine:
        for place in range(len(token)):
            other = chr(ord(token[place]) ^ 1 << place % 7)
            assert refused(app.runtime.tokens, token[:place] + other + token[place + 1 :])


def test_one_token_has_one_spelling(app: App, genuine: list[str]) -> None:
    """T18: base64 has room for others."""
    for token in genuine:
        for spelling in (token + "=", token + "==", token.replace(".", "=.", 1), token + "\n"):
            assert refused(app.runtime.tokens, spelling)


def test_a_token_without_end_is_refused_unread(app: App, genuine: list[str]) -> None:
    claims = claims_of(genuine[0]) | {"more": "x" * LONGEST}
    key = app.runtime.settings.jwt_secret_key

    assert refused(app.runtime.tokens, sign(header_of(genuine[0]), claims, key))
