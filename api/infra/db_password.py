"""The password of the database may be exchanged while the service runs (``madang rotate-secret``).

Connections that are open stay open. A new one that is refused its password looks again into the file that
DATABASE_URL_FILE names, so nobody has to be restarted in the right instant.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote, urlsplit

from psycopg2 import OperationalError

T = TypeVar("T")

REFUSED = "password authentication failed"
"""How PostgreSQL says so; libpq gives no SQLSTATE for connections that were never made."""
TRIES, PAUSE = 5, 0.1
"""Server and file change one after the other, a moment apart. Seconds."""


class Password:
    def __init__(self, url: str, file: str | None) -> None:
        """*file*: where a newer URL may stand."""
        self._known = _password(url)
        self._file = file

    def call(self, connect: Callable[[str | None], T]) -> T:
        """What *connect* returns for the password that counts now. Raises what it raises."""
        for _ in range(TRIES):
            try:
                return connect(self._known)
            except OperationalError as err:
                if self._file is None or REFUSED not in str(err):
                    raise
            self._look_again(self._file)
        return connect(self._known)

    def _look_again(self, file: str) -> None:
        found = _password(Path(file).read_text(encoding="utf-8").strip())
        if found == self._known:
            time.sleep(PAUSE)
        self._known = found


def _password(url: str) -> str | None:
    password = urlsplit(url).password
    return unquote(password) if password else None
