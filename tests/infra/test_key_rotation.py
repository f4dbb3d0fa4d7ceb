"""T16: the key before counts until its last token has expired."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from uuid import UUID, uuid4

from flask import Flask

from api.config import Settings
from api.infra.tokens import AccessTokens
from tests.conftest import SECRET
from tests.infra.forgery import claims_of, header_of, refused, sign

USER = uuid4()
NEW_SECRET = "another signing key of 32 bytes or more"


@dataclass(frozen=True)
class Process:
    flask: Flask
    tokens: AccessTokens

    def issue(self) -> str:
        with self.flask.app_context():
            return self.tokens.issue(USER, uuid4())

    def user_of(self, token: str) -> UUID:
        return self.tokens.verify(token).user_id


def process(environment: dict[str, str], key: str, previous: str = "") -> Process:
    keys = {"JWT_SECRET_KEY": key, "JWT_SECRET_KEY_PREVIOUS": previous}
    flask = Flask("process")
    return Process(flask, AccessTokens(flask, Settings.from_env(environment | keys)))


def test_tokens_of_both_keys_count_while_both_are_there(environment: dict[str, str]) -> None:
    during = process(environment, NEW_SECRET, SECRET)
    old, new = process(environment, SECRET).issue(), during.issue()

    assert header_of(old)["kid"] != header_of(new)["kid"]
    assert (during.user_of(old), during.user_of(new)) == (USER, USER)


def test_without_the_old_key_its_tokens_are_refused(environment: dict[str, str]) -> None:
    old = process(environment, SECRET).issue()
    new = process(environment, NEW_SECRET, SECRET).issue()

    after = process(environment, NEW_SECRET)

    assert refused(after.tokens, old)
    assert after.user_of(new) == USER


def test_a_kid_does_not_open_the_other_key(environment: dict[str, str]) -> None:
    during = process(environment, NEW_SECRET, SECRET)
    old, new = process(environment, SECRET).issue(), during.issue()

    assert refused(during.tokens, sign(header_of(old), claims_of(new), NEW_SECRET))


def test_the_kid_tells_nothing_of_the_key(environment: dict[str, str]) -> None:
    kid = header_of(process(environment, SECRET).issue())["kid"]

    plain = hashlib.sha256(SECRET.encode()).hexdigest()
    assert len(bytes.fromhex(kid)) == 8
    assert kid not in plain
    assert kid not in SECRET.encode().hex()
