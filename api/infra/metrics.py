"""Counters that somebody who is woken at night will want."""

from __future__ import annotations

from prometheus_client import Counter

AFTER_COMMIT_FAILURES = Counter(
    "after_commit_failures_total",
    "Side effects that failed although their transaction was committed",
)
UNEXPECTED_ERRORS = Counter("unexpected_errors_total", "Answers of 500: each is a bug")
GUARD_MISSES = Counter(
    "guard_misses_total", "Values the database refused: the contract should have refused them"
)
PASSWORD_HASHES = Counter("password_hashes_total", "argon2id computations")
CACHE_REQUESTS = Counter(
    "cache_requests_total", "Public answers: kept, made, or made without Redis", ["cache", "result"]
)
REDIS_FAILURES = Counter("redis_failures_total", "Redis calls that failed", ["use"])
