"""Nobody but the service can write a cursor, and what it wrote it reads again as it was."""

from __future__ import annotations

import json
import string
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from itsdangerous import URLSafeSerializer

from api.infra.cursors import Cursors
from tests.conftest import SECRET

OTHER_SECRET = "another signing key of 32 bytes or more"
LETTERS = string.ascii_letters + string.digits + "_.-"
"""What the contract lets a cursor consist of."""
NOTE = {
    "list": "/api/v1/posts",
    "given": {"q": '서울 "꽃 시장" -비', "size": 20, "is_published": False, "author_id": None},
}
AFTER = (
    0.1 + 0.2,
    datetime(2026, 1, 5, 9, 0, 0, 123_456, UTC),
    UUID("0197f2c0-4e1a-7c3b-9d52-6f1e8a0b4c7d"),
)
READ = {**NOTE, "after": AFTER}

cursors = Cursors((SECRET,))
cursor = cursors.write(NOTE, AFTER)

times = some.datetimes(
    timezones=some.sampled_from([UTC, timezone(timedelta(hours=9)), timezone(-timedelta(hours=3))])
)
numbers = some.integers(-(2**63), 2**64 - 1) | some.floats(allow_nan=False, allow_infinity=False)
text = some.text(some.characters(exclude_categories=["Cs"]))
plain = some.none() | some.booleans() | numbers | text
notes = some.dictionaries(text.filter(lambda key: key != "after"), plain, max_size=4)
keys = some.lists(plain | times | some.uuids(), max_size=4).map(tuple)


def types(values: tuple[Any, ...]) -> list[type]:
    return [type(value) for value in values]


class TestWhatWasWritten:
    def test_is_read_as_it_was(self) -> None:
        found = cursors.read(cursor)

        assert found == READ
        assert types(found["after"]) == types(AFTER)

    @settings(max_examples=200, deadline=None)
    @given(notes, keys)
    def test_keeps_every_value_and_its_type(self, note: Any, key: tuple[Any, ...]) -> None:
        found = cursors.read(cursors.write(note, key))

        assert found == {**note, "after": key}
        assert types(found["after"]) == types(key)

    @pytest.mark.parametrize("note", [NOTE, {}, {"q": "\x01" * 100}, {"q": "😀" * 100}])
    def test_goes_into_a_url_as_it_is(self, note: dict[str, Any]) -> None:
        """And is never longer than the contract allows."""
        written = cursors.write(note, AFTER)

        assert set(written) <= set(LETTERS)
        assert len(written) <= 2_000

    def test_is_never_something_that_cannot_be_read_again(self) -> None:
        with pytest.raises(TypeError, match="bytes"):
            cursors.write({}, (b"key",))


class TestWhatWasNotWrittenHere:
    def test_is_refused_whatever_letter_is_another_one(self) -> None:
        """Three of four letters in the last place spell the same signature: they say nothing else."""
        for place in range(len(cursor)):
            for letter in set(LETTERS) - {cursor[place]}:
                found = cursors.read(cursor[:place] + letter + cursor[place + 1 :])

                assert found is None or (place == len(cursor) - 1 and found == READ)

    def test_is_refused_when_letters_are_added_or_lost(self) -> None:
        for place in range(len(cursor)):
            assert cursors.read(cursor[:place] + cursor[place + 1 :]) is None
            assert cursors.read(cursor[:place]) is None
        for place in range(len(cursor) + 1):
            for letter in LETTERS:
                assert cursors.read(cursor[:place] + letter + cursor[place:]) is None

    def test_is_refused_without_a_signature(self) -> None:
        said, _, _ = cursor.rpartition(".")

        for unsigned in (said, f"{said}.", f".{said}", f"{said}..", "."):
            assert cursors.read(unsigned) is None

    def test_is_refused_with_the_signature_of_another_note(self) -> None:
        said, _, _ = cursor.rpartition(".")
        _, _, signature = cursors.write({"list": "/api/v1/users"}, ()).rpartition(".")

        assert cursors.read(f"{said}.{signature}") is None

    def test_is_refused_when_another_key_signed_it(self) -> None:
        assert Cursors((OTHER_SECRET,)).read(cursor) is None

    def test_is_refused_when_the_same_key_signed_it_for_something_else(self) -> None:
        assert cursors.read(Cursors((SECRET,), salt="cursor-0").write(NOTE, AFTER)) is None
        plain = json.dumps({"list": "/api/v1/posts"})
        assert cursors.read(str(URLSafeSerializer(SECRET).dumps(plain))) is None

    @settings(max_examples=200, deadline=None)
    @given(some.text(LETTERS, max_size=300))
    def test_is_refused_and_never_an_error(self, guess: str) -> None:
        assert cursors.read(guess) is None


class TestAnotherKey:
    both = Cursors((OTHER_SECRET, SECRET))

    def test_leaves_the_one_before_readable(self) -> None:
        assert self.both.read(cursor) == READ

    def test_signs_what_is_new(self) -> None:
        new = self.both.write(NOTE, AFTER)

        assert Cursors((OTHER_SECRET,)).read(new) == READ
        assert cursors.read(new) is None
