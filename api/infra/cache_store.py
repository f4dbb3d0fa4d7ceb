"""Flask-Caching's Redis, holding JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cachelib.serializers import BaseSerializer
from flask import Flask
from flask_caching import Cache as FlaskCaching
from flask_caching.backends.base import BaseCache
from flask_caching.backends.rediscache import RedisCache

from api.infra import json, redis

LARGEST = 64 * 1024
"""Bytes of an answer that is kept: Redis counts limits beside it, and drops whatever it has no room for."""


class TooLarge(Exception):
    """Not worth its room."""


def open_store(flask: Flask, redis_url: str, greet: Callable[[Any], None]) -> BaseCache:
    """*greet* is called with each new connection."""
    config = {
        "CACHE_TYPE": f"{__name__}.{JsonRedisCache.__name__}",
        "CACHE_REDIS_URL": redis_url,
        "CACHE_OPTIONS": redis.options() | {"redis_connect_func": greet},
        "CACHE_KEY_PREFIX": "",
    }
    with flask.app_context():
        return FlaskCaching(flask, config=config).cache


class Json(BaseSerializer):
    """Reading from Redis must not run code, as the pickles of the stock serializer would."""

    def dumps(self, value: Any, *_: Any) -> bytes:
        dumped = json.dumps(value)
        if len(dumped) > LARGEST:
            raise TooLarge()
        return dumped

    def loads(self, bvalue: bytes | None) -> Any:
        try:
            return None if bvalue is None else json.loads(bvalue)
        except ValueError:
            return None


class JsonRedisCache(RedisCache):
    serializer: Any = Json()
