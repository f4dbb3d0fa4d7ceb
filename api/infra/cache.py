"""Public answers kept in Redis by Flask-Caching, and dropped the moment they are no longer true.

Each kept answer belongs to a *group* and bears its group's generation, a random word in Redis. A write
replaces that word after its commit, so whatever was kept before is never believed again, also when a
slow reader stores it only now. docs/cache.md lists the groups.

Whoever loses Redis, even for one call, may have missed replacing a word; whoever begins, or finds another
server where one was, does not know who did. So nothing is believed or kept by any process of this host
(api/infra/losses.py) until it has replaced the *epoch*, which is part of every generation.
"""

from __future__ import annotations

import json
import logging
import random
import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock, Thread
from typing import Any, TypeVar
from uuid import UUID

from cachelib.serializers import BaseSerializer
from flask import Flask, current_app
from flask_caching import Cache as FlaskCaching
from flask_caching.backends.rediscache import RedisCache
from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import RedisError, ResponseError
from sqlalchemy.orm import Session

from api.infra import losses, redis
from api.infra.db import on_commit
from api.infra.metrics import CACHE_REQUESTS, REDIS_FAILURES

log = logging.getLogger(__name__)
T = TypeVar("T")

POSTS = "posts:list"
"""The group of all lists of posts."""
EPOCH = "cache:epoch"
GENERATIONS_LIVE = 86_400
"""Seconds; far longer than any answer, since a lost generation loses its group."""
LONGEST_WAIT = 1.0
"""Seconds for an answer that somebody else makes: a hung database would hold up all of them in a row."""
TRIES = 5
"""Of a call that meets others' losses, or another server at each connection."""
RETRY = 0.2
"""Seconds between two tries to reach Redis again."""
RUN_ID = re.compile(rb"run_id:(\w+)")
"""Of a server, new at each of its starts."""
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
        config = {
            "CACHE_TYPE": f"{__name__}.{JsonRedisCache.__name__}",
            "CACHE_REDIS_URL": redis_url,
            "CACHE_OPTIONS": redis.options() | {"redis_connect_func": self._greet},
            "CACHE_KEY_PREFIX": "",
        }
        with flask.app_context():
            self._store = FlaskCaching(flask, config=config).cache
        self._flights = Flights()
        self._server = b""
        self._trusted = b""
        self._seeker: Thread | None = None
        self._turn = Lock()
        self._lock = Lock()
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
        if not self._call(lambda: self._store.set(key, _word(), GENERATIONS_LIVE)):
            self._lose()

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
            self._call(lambda: self._store.set(key, entry, lifetime))
            return answer

    def _read(self, key: str, generation: str) -> Any:
        """None also for what somebody else wrote, and for an answer of an older generation."""
        entry = self._call(lambda: self._store.get(key))
        if isinstance(entry, dict) and entry.get("generation") == generation and "answer" in entry:
            return entry
        return None

    def _generation(self, group: str) -> str | None:
        """None while Redis cannot be trusted."""
        words = self._call(lambda: self._words(EPOCH, _generation_key(group)))
        return ".".join(words) if words else None

    def _words(self, *keys: str) -> list[str]:
        """One for each key; made where there is none, once for all processes that look at once."""
        for make in (
            self._store.add,
            self._store.set,
            self._store.add,
        ):  # what is there and no word is replaced
            words = self._store.get_many(*keys)
            missing = [k for k, word in zip(keys, words, strict=True) if not isinstance(word, str)]
            if not missing:
                return list(words)
            for key in missing:
                make(key, _word(), GENERATIONS_LIVE)
        return []  # gone again and again

    def _call(self, call: Callable[[], Any]) -> Any:
        """None when Redis fails, and while it is not trusted."""
        for _ in range(TRIES):
            word = losses.word()
            if self._trusted != word:
                if not self._trusts_again():
                    return None
                continue
            try:
                answer = call()
            except AnotherServer:
                continue
            except (RedisError, OSError):
                self._lose()
                return None
            if word == losses.word():
                return answer
        return None

    def _greet(self, connection: Any) -> None:
        """Of each new connection: a server that was restarted may hold what it once saved to disk."""
        connection.on_connect()
        connection.send_command("INFO", "server")
        try:
            found = RUN_ID.search(connection.read_response())
        except ResponseError:  # not for us to know
            found = None
        if self._is_another(found[1] if found else b"unknown"):
            raise AnotherServer("not the one of before")

    def _is_another(self, server: bytes) -> bool:
        with self._lock:
            was, self._server = self._server, server
            if was in (b"", server):
                return False
            losses.note()
            return True

    def _trusts_again(self) -> bool:
        """Replace the epoch at once, while others wait; if that fails, leave it to a thread."""
        with self._turn:
            if self._trusted == losses.word():
                return True
            return self._seeker is None and (self._replaces_epoch() or self._lose())

    def _lose(self) -> bool:
        """Nobody on this host is to believe anything; a thread seeks Redis, however long it takes."""
        losses.note()
        with self._lock:
            if self._seeker is None:
                REDIS_FAILURES.labels("cache").inc()
                log.warning("redis failed: cache")
                self._seeker = Thread(target=self._seek, name="cache-epoch", daemon=True)
                self._seeker.start()
        return False

    def _seek(self) -> None:
        while not self._replaces_epoch():
            time.sleep(RETRY)

    def _replaces_epoch(self) -> bool:
        """Whether it was replaced, after everything that was lost before."""
        word = losses.word()
        try:
            self._store.set(EPOCH, _word(), GENERATIONS_LIVE)
        except (RedisError, OSError):
            return False
        with self._lock:
            if word != losses.word():
                return False
            self._trusted, self._seeker = word, None
            return True


class AnotherServer(Disconnected):
    """What it holds may be older than what was known of the one before."""


class Flights:
    """Lets one thread at a time do what is known by a key."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._waiting: dict[str, tuple[Lock, int]] = {}

    @contextmanager
    def alone(self, key: str) -> Iterator[bool]:
        """Yields whether nobody else was there. Who has waited for too long does not wait any more."""
        with self._lock:
            mine, others = self._waiting.get(key, (Lock(), 0))
            self._waiting[key] = (mine, others + 1)
        has_turn = mine.acquire(timeout=LONGEST_WAIT)
        try:
            yield not others
        finally:
            if has_turn:
                mine.release()
            with self._lock:
                mine, others = self._waiting.pop(key)
                if others > 1:
                    self._waiting[key] = (mine, others - 1)


class Json(BaseSerializer):
    """Reading from Redis must not run code, as the pickles of the stock serializer would."""

    def dumps(self, value: Any, *_: Any) -> bytes:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()

    def loads(self, bvalue: bytes | None) -> Any:
        try:
            return None if bvalue is None else json.loads(bvalue)
        except (ValueError, RecursionError):
            return None


class JsonRedisCache(RedisCache):
    serializer: Any = Json()


def _generation_key(group: str) -> str:
    return f"{group}:generation"


def _word() -> str:
    """Random, not counted: a counter that was lost and began anew would repeat itself."""
    return secrets.token_hex(8)
