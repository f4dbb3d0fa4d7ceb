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
from typing import Any, TypeVar
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
        ``group:generation:rest``.
        """
        generation = self._generation(group)
        if generation is None:
            CACHE_REQUESTS.labels(group.partition(":")[0], "bypass").inc()
            return fill()
        key = f"{group}:{generation}:{rest}" if rest else group
        answer: T = self._kept(key, generation, seconds, fill)
        return answer

    def forget(self, group: str) -> None:
        key = _generation_key(group)
        if not self._trust.call(lambda: self._store.set(key, _word(), GENERATIONS_LIVE)):
            self._trust.lose()
        # Afterwards: who sees this finds the new word, and nothing that was kept under the old one.
        changes.note(group)

    def _kept(self, key: str, generation: str, seconds: int, fill: Callable[[], Any]) -> Any:
        name = key.partition(":")[0]
        if (found := self._read(key, generation)) is not None:
            CACHE_REQUESTS.labels(name, "hit").inc()
            return found["answer"]
        with self._flights.alone(f"{key} {generation}") as was_alone:
            # Whoever had to wait finds what the one before has kept.
            if not was_alone and (found := self._read(key, generation)) is not None:
                CACHE_REQUESTS.labels(name, "hit").inc()
                return found["answer"]
            CACHE_REQUESTS.labels(name, "miss").inc()
            answer = fill()
            entry = {"generation": generation, "answer": answer}
            lifetime = round(seconds * random.uniform(0.9, 1.1))  # noqa: S311 - spreads, guards nothing
            with suppress(TooLarge):
                self._trust.call(lambda: self._store.set(key, entry, lifetime))
            return answer

    def _read(self, key: str, generation: str) -> Any:
        """None also for what somebody else wrote, and for an answer of an older generation."""
        entry = self._trust.call(lambda: self._store.get(key))
        if isinstance(entry, dict) and entry.get("generation") == generation and "answer" in entry:
            return entry
        return None

    def _generation(self, group: str) -> str | None:
        """None while Redis cannot be trusted."""
        words = self._trust.call(lambda: self._words(EPOCH, _generation_key(group)))
        return ".".join(words) if words else None

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
