"""Makes access tokens of every kind but ours."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from random import Random
from typing import Any

from api.errors import TokenInvalid
from api.infra.tokens import AccessTokens

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def encode(value: object) -> str:
    """A part of a token: JSON, or the text as it is, in unpadded base64url."""
    text = value if isinstance(value, str) else json.dumps(value)
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def decode(part: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


def refused(tokens: AccessTokens, token: str) -> bool:
    """Anything but ``TokenInvalid`` is a bug, and leaves as it is."""
    try:
        tokens.verify(token)
    except TokenInvalid:
        return True
    return False


def sign(header: object, claims: object, key: str, digest: str = "sha256") -> str:
    signed = f"{encode(header)}.{encode(claims)}"
    mac = hmac.new(key.encode(), signed.encode(), getattr(hashlib, digest)).digest()
    return f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def header_of(token: str) -> dict[str, Any]:
    return decode(token.partition(".")[0])


def claims_of(token: str) -> dict[str, Any]:
    return decode(token.split(".")[1])


def flipped(token: str, random: Random) -> Iterator[str]:
    """Each character in turn replaced by another one."""
    for place, character in enumerate(token):
        other = random.choice(ALPHABET.replace(character, "") + ".")
        if other != character:
            yield token[:place] + other + token[place + 1 :]


def reshaped(token: str) -> Iterator[str]:
    """Cut, grown, reordered, spelled in other ways."""
    head, body, mac = token.split(".")
    yield from (token[:size] for size in range(0, len(token), 7))
    yield from (token + more for more in ("=", "==", "A", ".", ".A", "\n", " ", "\0", "%00", "é"))
    yield from (f"{head}.{body}.", f"{head}.{body}", f".{body}.{mac}", f"{head}..{mac}", "..", "")
    yield from (f"{body}.{head}.{mac}", f"{mac}.{body}.{head}", f"{head}.{head}.{mac}")
    yield from (f"{head}=.{body}.{mac}", f"{head}.{body}==.{mac}", f"{head}.\n{body}.{mac}")
    yield from (
        token.swapcase(),
        token.lower(),
        token[::-1],
        token * 2,
        f'"{token}"',
        f"Bearer {token}",
    )
    yield f"{head}.{body}.{mac.replace('-', '+').replace('_', '/')}" + "="
    yield from _respelled(mac, prefix=f"{head}.{body}.")


def _respelled(part: str, prefix: str) -> Iterator[str]:
    """The last character carries spare bits: others decode to the same bytes."""
    place = ALPHABET.index(part[-1])
    yield from (prefix + part[:-1] + ALPHABET[place ^ bits] for bits in range(1, 4))


def swapped(first: str, second: str) -> Iterator[str]:
    """Parts of two tokens put together."""
    ours, theirs = first.split("."), second.split(".")
    for choice in range(1, 7):
        parts = [(theirs if choice >> n & 1 else ours)[n] for n in range(3)]
        if parts[0] != theirs[0] or parts[1:] != theirs[1:]:
            mixed = ".".join(parts)
            if mixed not in (first, second):
                yield mixed


def random_headers(token: str, random: Random) -> Iterator[str]:
    """The claims and signature of a token under headers that nobody issued."""
    _, body, mac = token.split(".")
    values: list[object] = [None, True, 0, -1, 1e300, "", "none", "None", "HS256", "../../dev/null"]
    values += [[], {}, ["HS256"], {"alg": "HS256"}, "\0", "\ud7ff", "https://evil.example/jwks"]
    names = ["alg", "typ", "kid", "jku", "jwk", "x5u", "x5c", "crit", "b64", "zip", "enc", "cty"]
    ours = header_of(token)
    for _ in range(400):
        header = dict(ours) if random.random() < 0.5 else {}
        for name in random.sample(names, random.randint(1, 4)):
            header[name] = random.choice(values)
        if header != ours:
            yield f"{encode(header)}.{body}.{mac}"
    for text in ("", "null", "[]", "1", '"x"', "{", "[" * 1400, '{"alg":' * 200, "\x00", "{}" * 9):
        yield f"{encode(text)}.{body}.{mac}"
