"""Processes that keep answers in one Redis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask
from prometheus_client import REGISTRY
from redis import Redis

from api.infra.cache import POSTS, PublicCache

PROFILE = "user:profile:01a20547-abc9-7556-b949-68714accd4b0"
PAGE = "page:1:size:20"
A_LIST, A_PROFILE = (POSTS, PAGE), (PROFILE, "")
PATIENCE = 10.0


class Source:
    """Where an answer comes from: what is true now, and how often that was asked."""

    def __init__(self) -> None:
        self.truth, self.asked = 0, 0

    def __call__(self) -> dict[str, int]:
        self.asked += 1
        return {"truth": self.truth}


class Process:
    """One of several, as it reads and writes one answer."""

    def __init__(self, url: str, source: Source, group: str = POSTS, rest: str = PAGE) -> None:
        self.cache, self.source = PublicCache(Flask(__name__), url), source
        self.group, self.rest = group, rest

    def read(self, fill: Callable[[], Any] | None = None) -> Any:
        answer = self.cache.remembered(self.group, self.rest, 60, fill or self.source)
        return answer["truth"]

    def write(self) -> int:
        self.source.truth += 1
        self.cache.forget(self.group)
        return self.source.truth

    def keeps(self) -> bool:
        """Whether the second of two readers is told what the first one was; both are told the truth."""
        assert self.read() == self.source.truth
        asked = self.source.asked
        assert self.read() == self.source.truth
        return self.source.asked == asked


def stored(redis: Redis) -> dict[str, Any]:
    return {key.decode(): redis.get(key) for key in redis.scan_iter()}


def sample(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0
