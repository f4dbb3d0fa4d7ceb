"""What is counted in each process. Names, labels and buckets stand here; docs/observability.md tells what they mean.

Under gunicorn all processes count in files of one folder (PROMETHEUS_MULTIPROC_DIR, which has to be set
before this module is imported), and ``api.infra.exporter`` adds them up.
"""

from __future__ import annotations

import os

from prometheus_client import Counter, Gauge, Histogram, values

if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
    # Which process it counts for is asked with every step; that can only change with a fork.
    _process = [os.getpid()]
    os.register_at_fork(after_in_child=lambda: _process.__setitem__(0, os.getpid()))
    values.ValueClass = values.MultiProcessValue(lambda: _process[0])  # type: ignore[no-untyped-call]

# Around what is promised: 200 ms on average, nothing later than 5 s.
REQUEST_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.5, 5.0)
# Around statement_timeout, which is 3 s.
QUERY_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 3.0)

HTTP_REQUESTS = Counter(
    "http_requests_total",
    "Answers; endpoint is the path of the contract",
    ["method", "endpoint", "status"],
)
HTTP_DURATION = Histogram(
    "http_request_duration_seconds",
    "From the first byte of a request that the service sees to the last of its answer",
    ["method", "endpoint"],
    buckets=REQUEST_BUCKETS,
)
HTTP_IN_PROGRESS = Gauge(
    "http_requests_in_progress", "Requests without a whole answer", multiprocess_mode="livesum"
)
HTTP_ERRORS = Counter(
    "http_server_errors_total",
    "Answers of 5xx; there from the start, so that a ratio of them is too",
)
HTTP_REFUSALS = Counter("http_refusals_total", "Answers that are failures, by their code", ["code"])
RATE_LIMIT_REFUSALS = Counter(
    "rate_limit_refusals_total", "Requests that found a bucket empty", ["limit"]
)
LOGINS = Counter("logins_total", "Attempts to log in", ["outcome"])
SIGN_UPS = Counter("sign_ups_total", "Attempts to sign up", ["outcome"])
PASSWORD_HASHES = Counter("password_hashes_total", "argon2id computations")

DB_QUERY_DURATION = Histogram(
    "db_query_duration_seconds",
    "Statements and commits, also those that failed",
    ["operation"],
    buckets=QUERY_BUCKETS,
)
DB_POOL_CONNECTIONS = Gauge(
    "db_pool_connections",
    "Connections to PostgreSQL by state: in_use or idle",
    ["state"],
    multiprocess_mode="livesum",
)
DB_POOL_CAPACITY = Gauge(
    "db_pool_capacity", "How many connections there may be", multiprocess_mode="livesum"
)
CACHE_REQUESTS = Counter(
    "cache_requests_total", "Public answers: kept, made, or made without Redis", ["cache", "result"]
)
REDIS_FAILURES = Counter("redis_failures_total", "Redis calls that failed", ["use"])
for _use in ("cache", "denylist", "limits"):  # a rate sees the first one only after a zero
    REDIS_FAILURES.labels(_use)

AFTER_COMMIT_FAILURES = Counter(
    "after_commit_failures_total",
    "Side effects that failed although their transaction was committed",
)
UNEXPECTED_ERRORS = Counter("unexpected_errors_total", "Answers of 500: each is a bug")
GUARD_MISSES = Counter(
    "guard_misses_total", "Values the database refused: the contract should have refused them"
)
LOG_LINES_LOST = Counter(
    "log_lines_lost_total", "Lines that were not written because nobody took them in time"
)
