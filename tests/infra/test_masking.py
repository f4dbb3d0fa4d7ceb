"""What looks like a secret is not written, wherever it came from and however much of it there is."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.infra import api_keys
from api.infra.masking import _SECRETS, MASK, _cover, masked
from tests.people import Person

SECRET = "s3cr3t-V4lue"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"Authorization: Bearer {SECRET}", f"Authorization: {MASK}"),
        (f"sent bearer {SECRET}, then", f"sent bearer {MASK}, then"),
        (f"Basic {SECRET}", f"Basic {MASK}"),
        (f"password={SECRET}&page=2", f"password={MASK}&page=2"),
        (f"JWT_SECRET_KEY={SECRET}", f"JWT_SECRET_KEY={MASK}"),
        (f'{{"new_password": "{SECRET} {SECRET}", "a": 1}}', f'{{"new_password": {MASK}, "a": 1}}'),
        (f"{{'token': '{SECRET}'}}", f"{{'token': {MASK}}}"),
        (f"refresh_token={SECRET}; Path=/", f"refresh_token={MASK}; Path=/"),
        (f"Cookie: a={SECRET}; b={SECRET}", f"Cookie: {MASK}"),
        (f"Set-Cookie: a={SECRET}\r\nVary: *", f"Set-Cookie: {MASK}\r\nVary: *"),
        (f"postgresql://madang:{SECRET}@db/x", f"postgresql://{MASK}@db/x"),
        (f"redis://:{SECRET}@cache:6379", f"redis://{MASK}@cache:6379"),
        ("Key (email)=(ada.l+x@example.co.kr) exists", f"Key (email)=({MASK}) exists"),
        (f"X-API-Key: {SECRET}", f"X-API-Key: {MASK}"),
    ],
)
def test_a_secret_is_masked_and_what_stands_around_it_stays(text: str, left: str) -> None:
    assert masked(text) == left


def test_an_api_key_and_a_token_are_known_by_their_looks(ada: Person) -> None:
    assert masked(f"used {api_keys.new()} today") == f"used {MASK} today"
    assert masked(f"used {ada.token} today") == f"used {MASK} today"


@pytest.mark.parametrize(
    "text",
    [
        "GET /api/v1/posts 200",
        "the secret of the token was kept",
        "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        "http://collector:4318/v1/traces",
        "01a208f2-3556-7041-be3c-fba0a26ccfa9",
        "마당에서 @ 서울",
    ],
)
def test_what_is_no_secret_can_be_read(text: str) -> None:
    assert masked(text) == text


SCRAPS = [
    "cookie",
    "pass",
    "word",
    "TOKEN",
    "api",
    "key",
    "baſic",
    "BEARER",
    "eyJ",
    "a.b",
    "madang_" + "x" * 20,
]


@given(
    st.lists(st.sampled_from([*SCRAPS, *" \"':=@/-_.,;&", "ı", "K", "\n"]) | st.text(max_size=3))
)
def test_looking_first_whether_there_may_be_one_misses_none(scraps: list[str]) -> None:
    text = "".join(scraps)

    assert masked(text) == _SECRETS.sub(_cover, text)


@pytest.mark.parametrize(
    "unit",
    [
        "a",
        "a@",
        "a.",
        "eyJ",
        "eyJa.",
        "password",
        "password=",
        "://",
        "://a:",
        "Bearer ",
        "'",
        "madang_",
    ],
)
def test_a_long_text_takes_time_in_proportion(unit: str) -> None:
    """Quadratic time for a megabyte would be minutes."""
    text = unit * (1_000_000 // len(unit))
    began = time.process_time()

    masked(text)

    assert time.process_time() - began < 10


def test_what_was_masked_is_still_text_for_json() -> None:
    assert json.loads(json.dumps(masked(f'a "password": "{SECRET}')))
