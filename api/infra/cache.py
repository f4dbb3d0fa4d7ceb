"""Public answers kept in Redis by Flask-Caching, and dropped the moment they are no longer true.

Each kept answer belongs to a *group* and bears its group's generation, a random word in Redis. A write
replaces that word after its commit, so whatever was kept before is never believed again, also when a
slow reader stores it only now. docs/cache.md lists the groups.

Whoever may have missed such a write (api/infra/cache_trust.py) first replaces the *epoch*, which is part
of every generation.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from flask import Flask, current_app
from sqlalchemy.orm import Session

from api.infra import changes
from api.infra.cache_store import TooLarge, open_store
from api.infra.cache_trust import Trust
from api.infra.db import on_commit
from api.infra.flights import Flights
from api.infra.metrics import CACHE_REQUESTS

T = TypeVar("T")

POSTS = "posts:list"
"""The group of all lists of posts."""
EPOCH = "cache:epoch"
GENERATIONS_LIVE = 3_600
"""Seconds; far longer than any answer, since a lost generation loses its group."""
_KEY = "madang-cache"


def profile(user_id: UUID) -> str:
    """The group of what everybody sees of a person."""
    return f"user:profile:{user_id}"


def forget(session: Session, group: str) -> None:
    """Once this transaction is durable, let nobody be told what the group held before."""
    on_commit(session, lambda: cache().forget(group))


def cache() -> PublicCache:
    found: PublicCache = current_app.extensions[_KEY]
    return found


class Found(NamedTuple):
    generation: str
    entry: Any
    """None where nothing is kept."""


class PublicCache:
    def __init__(self, flask: Flask, redis_url: str) -> None:
        self._trust = Trust(self._renew_epoch)
        self._store = open_store(flask, redis_url, self._trust.greet)
        self._flights = Flights()
        flask.extensions[_KEY] = self

    def remembered(self, group: str, rest: str, seconds: int, fill: Callable[[], T]) -> T:
        """What is kept, or what *fill* makes now: one at a time for each key of this process.

        *rest*: what tells one answer of the group from another. What is kept lives *seconds*, give
        or take a tenth, so that not all of it ends at once. The key is ``group`` alone, or
        ``group:rest``.
        """
        name = group.partition(":")[0]
        key = f"{group}:{rest}" if rest else group
        found = self._look(group, key)
        if found is None:
            CACHE_REQUESTS.labels(name, "bypass").inc()
            return fill()
        if found.entry is None:
            with self._flights.alone(f"{key} {found.generation}") as was_alone:
                # Whoever had to wait finds what the one before has kept.
                found = found if was_alone else self._look(group, key) or found
                if found.entry is None:
                    CACHE_REQUESTS.labels(name, "miss").inc()
                    return self._fill(key, found.generation, seconds, fill)
        CACHE_REQUESTS.labels(name, "hit").inc()
        answer: T = found.entry["answer"]
        return answer

    def forget(self, group: str) -> None:
        key = _generation_key(group)
        if not self._trust.call(lambda: self._store.set(key, _word(), GENERATIONS_LIVE)):
            self._trust.lose()
        # Afterwards: who sees this finds the new word, and nothing that was kept under the old one.
        changes.note(group)

    def _fill(self, key: str, generation: str, seconds: int, fill: Callable[[], T]) -> T:
        """*generation*: as it was before PostgreSQL is asked."""
        answer = fill()
        entry = {"generation": generation, "answer": answer}
        lifetime = round(seconds * random.uniform(0.9, 1.1))  # noqa: S311 - spreads, guards nothing
        with suppress(TooLarge):
            self._trust.call(lambda: self._store.set(key, entry, lifetime))
        return answer

    def _look(self, group: str, key: str) -> Found | None:
        """In one trip. None while Redis cannot be trusted."""
        found: Found | None = self._trust.call(
            lambda: self._found(key, EPOCH, _generation_key(group))
        )
        return found

    def _found(self, key: str, *words: str) -> Found | None:
        *said, entry = self._store.get_many(*words, key)
        if not all(isinstance(word, str) for word in said):
            said = self._words(*words)
        if not said:
            return None
        generation = ".".join(said)
        # What somebody else wrote, and an answer of an older generation, are as good as absent.
        is_ours = isinstance(entry, dict) and entry.get("generation") == generation
        return Found(generation, entry if is_ours and "answer" in entry else None)

    def _renew_epoch(self) -> None:
        self._store.set(EPOCH, _word(), GENERATIONS_LIVE)

    def _words(self, *keys: str) -> list[str]:
        """One for each key; made where there is none, once for all processes that look at once."""
        # What is there and no word is replaced.
        for make in (self._store.add, self._store.set, self._store.add):
            words = self._store.get_many(*keys)
            missing = [k for k, word in zip(keys, words, strict=True) if not isinstance(word, str)]
            if not missing:
                return list(words)
            for key in missing:
                make(key, _word(), GENERATIONS_LIVE)
        return []  # gone again and again


def _generation_key(group: str) -> str:
    return f"{group}:generation"


def _word() -> str:
    """Random, not counted: a counter that was lost and began anew would repeat itself."""
    return secrets.token_hex(8)
