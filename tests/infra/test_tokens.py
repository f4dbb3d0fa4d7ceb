"""Access tokens: what is issued, and that nothing else is accepted."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from threading import get_ident
from typing import Any
from uuid import uuid4

import pytest

from api.app import App
from api.errors import TokenExpired, TokenInvalid
from api.infra.tokens import CLAIMS, LEEWAY, LIFETIME, AccessTokens
from tests.conftest import ORIGIN, SECRET
from tests.infra.forgery import claims_of, encode, header_of, refused, sign
from tests.waiting import until

USER, SESSION = uuid4(), uuid4()
OTHER_SECRET = "another signing key of 32 bytes or more"


@pytest.fixture
def tokens(app: App) -> AccessTokens:
    return app.runtime.tokens


@pytest.fixture
def token(app: App, tokens: AccessTokens) -> str:
    with app.flask.app_context():
        return tokens.issue(USER, SESSION)


class TestIssue:
    def test_what_is_issued_is_accepted(self, tokens: AccessTokens, token: str) -> None:
        claims = tokens.verify(token)

        assert (claims.user_id, claims.session_id) == (USER, SESSION)

    def test_says_all_that_is_demanded_and_nothing_of_the_person(self, token: str) -> None:
        claims = claims_of(token)

        assert claims.keys() - {"fresh"} == CLAIMS
        assert (claims["iss"], claims["aud"], claims["type"]) == (ORIGIN, "madang-api", "access")
        assert (claims["sub"], claims["sid"]) == (str(USER), str(SESSION))
        assert claims["exp"] - claims["iat"] == LIFETIME == 900
        assert header_of(token).keys() == {"alg", "kid", "typ"}
        assert (header_of(token)["alg"], header_of(token)["typ"]) == ("HS256", "at+jwt")

    def test_two_are_never_the_same(self, app: App, tokens: AccessTokens, token: str) -> None:
        with app.flask.app_context():
            again = tokens.issue(USER, SESSION)

        assert claims_of(again)["jti"] != claims_of(token)["jti"]


class TestAlgorithm:
    """T1."""

    @pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", "", None, [], {}, 0, True])
    def test_unsigned_is_refused(self, tokens: AccessTokens, token: str, alg: object) -> None:
        header = header_of(token) | {"alg": alg}
        body, mac = token.split(".")[1:]

        for signature in ("", mac):
            assert refused(tokens, f"{encode(header)}.{body}.{signature}")

    @pytest.mark.parametrize(
        ("alg", "digest"), [("HS384", "sha384"), ("HS512", "sha512"), ("hs256", "sha256")]
    )
    def test_a_sister_is_refused_even_with_our_key(
        self, tokens: AccessTokens, token: str, alg: str, digest: str
    ) -> None:
        header = header_of(token) | {"alg": alg}

        assert refused(tokens, sign(header, claims_of(token), SECRET, digest))

    @pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA", "PS256"])
    def test_a_public_key_one_is_refused(self, tokens: AccessTokens, token: str, alg: str) -> None:
        header = header_of(token) | {"alg": alg}

        assert refused(tokens, sign(header, claims_of(token), SECRET))


class TestHeaderInjection:
    """T2: a token does not say where its key is."""

    @pytest.fixture
    def touched(self) -> Iterator[list[str]]:
        """What this thread opened or connected to meanwhile."""
        yield _watched.setdefault(get_ident(), [])
        del _watched[get_ident()]

    @pytest.mark.parametrize(
        "extra",
        [
            {"jku": "http://127.0.0.1:9/jwks.json"},
            {"jwk": {"kty": "oct", "k": encode(OTHER_SECRET)}},
            {"x5u": "http://127.0.0.1:9/cert.pem"},
            {"x5c": ["MIIB"]},
            {"crit": ["exp"]},
            {"crit": []},
            {"b64": False},
            {"zip": "DEF"},
            {"cty": "JWT"},
            {"typ": "JWT"},
            {"typ": "AT+JWT"},
            {"typ": None},
            {"kid": "../../dev/null"},
            {"kid": "/dev/null"},
            {"kid": "' OR 1=1 --"},
            {"kid": ""},
            {"kid": None},
            {"kid": 0},
            {"kid": ["a"]},
            {"kid": "0" * 16},
            {"kid": "http://127.0.0.1:9/key"},
        ],
    )
    @pytest.mark.parametrize("key", [SECRET, OTHER_SECRET, ""])
    def test_is_refused_without_looking_anywhere(
        self, tokens: AccessTokens, token: str, touched: list[str], extra: dict[str, Any], key: str
    ) -> None:
        forged = sign(header_of(token) | extra, claims_of(token), key)

        assert refused(tokens, forged)
        assert touched == []

    @pytest.mark.parametrize("name", ["alg", "kid", "typ"])
    def test_nothing_may_be_missing(self, tokens: AccessTokens, token: str, name: str) -> None:
        header = {key: value for key, value in header_of(token).items() if key != name}

        assert refused(tokens, sign(header, claims_of(token), SECRET))


class TestClaims:
    """T4, T3: signed by us is not enough."""

    @pytest.mark.parametrize("name", sorted(CLAIMS))
    def test_each_is_demanded(self, tokens: AccessTokens, token: str, name: str) -> None:
        claims = {key: value for key, value in claims_of(token).items() if key != name}

        assert refused(tokens, sign(header_of(token), claims, SECRET))

    @pytest.mark.parametrize("name", ["iss", "aud", "sub", "sid", "jti", "type"])
    @pytest.mark.parametrize("value", [None, [], {}, True, -1, 1.5, ["madang-api", "x"]])
    def test_texts_are_texts(
        self, tokens: AccessTokens, token: str, name: str, value: object
    ) -> None:
        assert refused(tokens, sign(header_of(token), claims_of(token) | {name: value}, SECRET))

    @pytest.mark.parametrize(
        "change",
        [
            {"type": "refresh"},
            {"type": "Access"},
            {"aud": "madang-api-staging"},
            {"aud": ["madang-api"]},
            {"aud": "madang-ap"},
            {"iss": "https://staging.madang.example"},
            {"iss": ORIGIN + "/"},
            {"sub": "ada"},
            {"sid": "nonsense"},
            {"sid": str(SESSION)[:-1]},
        ],
    )
    def test_each_has_its_value(
        self, tokens: AccessTokens, token: str, change: dict[str, object]
    ) -> None:
        """T6 among them: a token of another environment."""
        assert refused(tokens, sign(header_of(token), claims_of(token) | change, SECRET))

    def test_another_key_is_refused(self, tokens: AccessTokens, token: str) -> None:
        """T6."""
        for key in (OTHER_SECRET, "", SECRET + " ", SECRET[:-1]):
            assert refused(tokens, sign(header_of(token), claims_of(token), key))

    @pytest.mark.parametrize("claims", [None, [], 1, "{}", "null", "[[" * 200, {}])
    def test_claims_must_be_an_object(
        self, tokens: AccessTokens, token: str, claims: object
    ) -> None:
        assert refused(tokens, sign(header_of(token), claims, SECRET))


class TestTime:
    """T5."""

    def at(self, token: str, **changes: object) -> str:
        return sign(header_of(token), claims_of(token) | changes, SECRET)

    def test_within_the_leeway_it_still_counts(self, tokens: AccessTokens, token: str) -> None:
        now = int(time.time())

        for exp in (now + 1, now, now - LEEWAY + 5):
            assert tokens.verify(self.at(token, exp=exp)).user_id == USER
        assert LEEWAY <= 30

    def test_after_it_the_token_has_expired(self, tokens: AccessTokens, token: str) -> None:
        for exp in (int(time.time()) - LEEWAY - 1, 1, 0, -1):
            with pytest.raises(TokenExpired):
                tokens.verify(self.at(token, exp=exp))

    def test_one_that_begins_later_does_not_count_yet(
        self, tokens: AccessTokens, token: str
    ) -> None:
        soon, later = int(time.time()) + LEEWAY - 5, int(time.time()) + LEEWAY + 30

        assert tokens.verify(self.at(token, nbf=soon, iat=soon)).user_id == USER
        assert refused(tokens, self.at(token, nbf=later))
        assert refused(tokens, self.at(token, iat=later))

    @pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
    @pytest.mark.parametrize(
        "value",
        [None, "9999999999", 1e30, 1e10, "soon", "", [], {}, True, float("inf"), float("nan")],
    )
    def test_it_is_a_whole_number_of_seconds(
        self, tokens: AccessTokens, token: str, name: str, value: object
    ) -> None:
        assert refused(tokens, self.at(token, **{name: value}))

    def test_only_a_genuine_token_is_called_expired(self, tokens: AccessTokens, token: str) -> None:
        expired = self.at(token, exp=1)
        forged = expired[:-4] + ("AAAA" if expired[-4:] != "AAAA" else "BBBB")

        with pytest.raises(TokenInvalid) as raised:
            tokens.verify(forged)
        assert type(raised.value) is TokenInvalid


_watched: dict[int, list[str]] = {}


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    watched = ("open", "socket.connect", "socket.getaddrinfo", "subprocess.Popen")
    if event in watched and get_ident() in _watched:
        _watched[get_ident()].append(f"{event} {arguments[:2]}")


sys.addaudithook(_watch)


class TestMemory:
    """What was verified is not verified again, and counts no longer for it."""

    def test_a_signature_is_looked_at_once(
        self, tokens: AccessTokens, token: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = tokens.verify(token)
        monkeypatch.setattr(tokens, "_keys", {})

        assert tokens.verify(token) == first

    def test_it_ends_with_the_token(self, tokens: AccessTokens, token: str) -> None:
        nearly_over = claims_of(token) | {"exp": int(time.time()) - LEEWAY + 1}
        ending = sign(header_of(token), nearly_over, SECRET)
        tokens.verify(ending)

        def is_over() -> bool:
            try:
                tokens.verify(ending)
            except TokenExpired:
                return True
            return False

        assert until(is_over)

    def test_what_was_refused_is_refused_again(self, tokens: AccessTokens, token: str) -> None:
        forged = sign(header_of(token), claims_of(token), OTHER_SECRET)

        assert refused(tokens, forged)
        assert refused(tokens, forged)

    def test_it_is_bounded(
        self, app: App, tokens: AccessTokens, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("api.infra.tokens.MOST_KNOWN", 2)
        with app.flask.app_context():
            for _ in range(5):
                tokens.verify(tokens.issue(USER, SESSION))

        assert len(tokens._known) <= 2
