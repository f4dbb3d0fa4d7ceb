"""Signed notes that a caller carries from one part of a list to the next, and cannot write."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from itsdangerous import BadSignature, Signer

from api.infra import json

_MARKS: dict[str, Callable[[str], Any]] = {"t": datetime.fromisoformat, "u": UUID}


class Cursors:
    """*keys*: the first signs, each of them is accepted. The salt changes when old notes mean nothing."""

    def __init__(self, keys: tuple[str, ...], salt: str = "cursor-2") -> None:
        self._signer = Signer(list(reversed(keys)), salt=salt)  # the oldest first

    def write(self, note: dict[str, Any], after: tuple[Any, ...]) -> str:
        """*note*: JSON. *after*: values of which times and ids keep their types."""
        text = json.dumps({**note, "after": [_marked(value) for value in after]})
        return self._signer.sign(urlsafe_b64encode(text).rstrip(b"=")).decode("ascii")

    def read(self, cursor: str) -> Any:
        """The note as it was written, with *after*, or None when we did not write it."""
        try:
            text = self._signer.unsign(cursor.encode("ascii"))
            note = json.loads(urlsafe_b64decode(text + b"=" * (-len(text) % 4)))
        except (BadSignature, UnicodeEncodeError):
            return None
        return {**note, "after": tuple(_unmarked(value) for value in note["after"])}


def _marked(value: Any) -> Any:
    if isinstance(value, datetime):
        return {"~t": value.isoformat()}
    return {"~u": str(value)} if isinstance(value, UUID) else value


def _unmarked(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    [(mark, text)] = value.items()
    return _MARKS[mark.removeprefix("~")](text)
