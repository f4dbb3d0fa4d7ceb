"""JSON as bytes: what the guard lets through is I-JSON within bounds, found out in linear time."""

from __future__ import annotations

import sys
import time

import pytest

from api.errors import InvalidInput
from api.web.asgi.guard import DEEPEST, LARGEST_BODY, MOST_DIGITS, parse


def fault(raw: bytes) -> str:
    with pytest.raises(InvalidInput) as refused:
        parse(raw)
    return refused.value.details["body"]


class TestDepth:
    def test_twenty_levels_are_enough_for_everybody(self) -> None:
        assert parse(b"[" * DEEPEST + b"]" * DEEPEST) is not None

    def test_one_more_is_refused(self) -> None:
        assert "nested" in fault(b"[" * (DEEPEST + 1) + b"]" * (DEEPEST + 1))

    @pytest.mark.parametrize(
        "raw",
        [b"[" * 40_000, b"[" * 20_000 + b"]" * 20_000, b'{"a":' * 5_000 + b"1" + b"}" * 5_000],
        ids=["40 KB of arrays", "20,000 closed arrays", "a field 5,000 deep"],
    )
    def test_bombs_are_refused(self, raw: bytes) -> None:
        """A known trap: 20,000 nested arrays were a 500 (RecursionError)."""
        assert "nested" in fault(raw)

    def test_brackets_in_strings_do_not_count(self) -> None:
        assert parse(b'["' + b"[{" * 100 + b'"]') == ["[{" * 100]
        assert parse(rb'["\"[[[[[[[[[[[[[[[[[[[[[["]') == ['"' + "[" * 22]

    def test_what_was_closed_does_not_count(self) -> None:
        assert parse(b"[" + b"[]," * 100 + b"[]]") == [[]] * 101


class TestNumbers:
    @pytest.mark.parametrize(
        "digits",
        [
            "9" * 20,
            "-" + "9" * 20,
            "1" * 5_000,
            "-" + "1" * 60_000,
            "1" * 5_000 + ".5",
            "1e" + "9" * 60,
        ],
        ids=lambda digits: f"{len(digits)} long",
    )
    def test_more_than_nineteen_digits_are_refused(self, digits: str) -> None:
        """A known trap: a 5,000-digit integer was a 500 (int() refuses more than 4,300)."""
        assert str(MOST_DIGITS) in fault(f'{{"n": {digits}}}'.encode())

    @pytest.mark.parametrize("digits", ["1e400", "-1e400", "1e999"])
    def test_infinity_in_disguise_is_refused(self, digits: str) -> None:
        assert "digits" in fault(digits.encode())

    @pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity", "[NaN]"])
    def test_words_for_numbers_are_not_json(self, word: str) -> None:
        assert fault(word.encode()) == "NaN and Infinity are not JSON"

    @pytest.mark.parametrize("digits", ["9" * 19, "-" + "9" * 19])
    def test_nineteen_digits_are_kept_exactly(self, digits: str) -> None:
        assert parse(digits.encode()) == int(digits)

    def test_a_fraction_stays_a_fraction(self) -> None:
        """So that 1.0 where an integer is due can be refused by the schema."""
        assert type(parse(b"1.0")) is float
        assert type(parse(b"1")) is int


class TestText:
    @pytest.mark.parametrize(
        "raw",
        [
            b'"\xff"',
            b'"\xc3"',
            b'"\xed\xa0\x80"',
            b'"\xc0\xaf"',
            b'"\xf4\x90\x80\x80"',
            b"\xef\xbb\xbf{}",
            b"\xff\xfe{\x00}\x00",
            '{"a":1}'.encode("utf-16"),
            '"é"'.encode("latin-1"),
        ],
        ids=[
            "ff",
            "cut",
            "surrogate",
            "overlong",
            "beyond",
            "bom",
            "utf-16-le",
            "utf-16",
            "latin-1",
        ],
    )
    def test_only_strict_utf8_without_a_mark_is_read(self, raw: bytes) -> None:
        """A known trap: invalid UTF-8 was a 500."""
        assert fault(raw) == "is not valid JSON in UTF-8"

    @pytest.mark.parametrize(
        "raw", [b"{", b"", b" ", b"{'a':1}", b'{"a":1,}', b"01", b'"\t"', b"nul", b'{"a"}', b"1 2"]
    )
    def test_anything_but_json_is_refused(self, raw: bytes) -> None:
        assert fault(raw) == "is not valid JSON in UTF-8"

    @pytest.mark.parametrize(
        "raw",
        [rb'"\u0000"', rb'{"\u0000":1}', rb'{"a":[{"b":["x\u0000y"]}]}'],
        ids=["value", "key", "deep"],
    )
    def test_nul_is_refused_wherever_it_stands(self, raw: bytes) -> None:
        """A known trap: PostgreSQL cannot store it, so it was a 500."""
        assert fault(raw) == "has a NUL character"

    @pytest.mark.parametrize(
        "raw",
        [rb'"\ud800"', rb'"\udc00\ud800"', rb'{"\udfff":1}', rb'{"a":[{"b":["\ud83d x"]}]}'],
        ids=["high", "swapped", "key", "deep"],
    )
    def test_a_lone_surrogate_is_refused_wherever_it_stands(self, raw: bytes) -> None:
        """A known trap: it is no text and cannot be encoded."""
        assert fault(raw) == "has a lone surrogate"

    def test_a_pair_of_surrogates_is_one_character(self) -> None:
        assert parse(rb'"\ud83d\ude00"') == "😀"


class TestKeys:
    @pytest.mark.parametrize(
        "raw", [b'{"a":1,"a":1}', b'{"x":[{"a":1,"b":2,"a":3}]}', rb'{"a":1,"\u0061":2}']
    )
    def test_a_key_given_twice_is_refused_at_any_depth(self, raw: bytes) -> None:
        """A known trap: the last one won, whatever a proxy had read before."""
        assert fault(raw) == "has a key more than once"

    def test_the_same_key_in_different_objects_is_fine(self) -> None:
        assert parse(b'[{"a":1},{"a":{"a":2}}]') == [{"a": 1}, {"a": {"a": 2}}]


FULL = LARGEST_BODY
BOMBS = {
    "quotes": b'"' * FULL,
    "a string of escaped quotes that never ends": b'"' + rb"\"" * (FULL // 2 - 1) + b"\\",
    "quotes and backslashes in turn": rb'"\ '.strip() * (FULL // 2),
    "backslashes": b"\\" * FULL,
    "escaped backslashes": b'"' + rb"\\" * (FULL // 2 - 1) + b'"',
    "empty arrays": b"[" + b"[]," * (FULL // 3 - 1) + b"[]]",
    "brackets of both kinds": b"[}" * (FULL // 2),
    "closing brackets": b"]" * FULL,
    "strings": b"[" + b'"",' * (FULL // 3 - 1) + b'""]',
    "small numbers": b"[" + b"1," * (FULL // 2 - 2) + b"1]",
    "digits": b"1" * FULL,
    "a long fraction": b"0." + b"1" * (FULL - 2),
    "a long exponent": b"1e" + b"9" * (FULL - 2),
    "spaces": b" " * FULL,
    "keys": b"{" + b",".join(b'"%05d":0' % n for n in range(6_500)) + b"}",
    "escapes": b'"' + rb"\u0001" * (FULL // 6 - 1) + b'"',
    "three-byte characters": b'"' + "마".encode() * (FULL // 3 - 1) + b'"',
}


@pytest.mark.parametrize("name", BOMBS)
def test_the_worst_64_kib_take_less_than_50_milliseconds(name: str) -> None:
    raw = BOMBS[name]
    assert FULL * 0.9 <= len(raw) <= FULL

    took = min(_seconds(raw) for _ in range(3))

    assert took < 0.050, f"{took * 1000:.0f} ms"


def _seconds(raw: bytes) -> float:
    """Of this process alone, so that a busy machine changes nothing, and without a coverage tracer."""
    tracer = sys.gettrace()
    sys.settrace(None)
    started = time.process_time()
    try:
        parse(raw)
    except InvalidInput:
        pass
    finally:
        took = time.process_time() - started
        sys.settrace(tracer)
    return took
