"""What the dashboards show: a title, a unit of Grafana's, and the queries with the legends of their lines."""

from __future__ import annotations

from dataclasses import dataclass, field

LATENCY = "job:http_request_duration_seconds"
ERRORS = "job:http_errors:ratio_rate"
HERE = '{job="madang"}'


@dataclass(frozen=True)
class Panel:
    title: str
    unit: str
    """``reqps``, ``ops``, ``s``, ``percentunit``, ``bytes`` or ``short``."""
    queries: dict[str, str]
    """By legend, in which ``{{label}}`` stands for its value."""
    about: str = ""


@dataclass(frozen=True)
class Dashboard:
    uid: str
    title: str
    panels: list[Panel] = field(default_factory=list)


def rate(name: str, by: str = "", *, where: str = "") -> str:
    inner = f"rate({name}{where}[5m])"
    return f"sum by ({by}) ({inner})" if by else f"sum({inner})"


SERVICE = Dashboard(
    "madang-service",
    "Service",
    [
        Panel("Answers by status", "reqps", {"{{status}}": rate("http_requests_total", "status")}),
        Panel(
            "How long they take",
            "s",
            {
                name: f"{LATENCY}:{what}"
                for name, what in {
                    "mean": "mean_5m",
                    "half within": "p50_5m",
                    "95 % within": "p95_5m",
                    "99 % within": "p99_5m",
                }.items()
            },
            "The promise: 200 ms on average.",
        ),
        Panel(
            "Share of errors of ours",
            "percentunit",
            {"5 minutes": f"{ERRORS}5m", "1 hour": f"{ERRORS}1h", "6 hours": f"{ERRORS}6h"},
            "The objective allows 0.1 % over 30 days; at 5 % for 5 minutes somebody is woken.",
        ),
        Panel(
            "Bugs and lost side effects",
            "short",
            {
                "unexpected errors": "sum(increase(unexpected_errors_total[5m]))",
                "side effects": "sum(increase(after_commit_failures_total[5m]))",
            },
            "Zero is the only good figure.",
        ),
        Panel(
            "Busiest endpoints",
            "reqps",
            {
                "{{method}} {{endpoint}}": f"topk(8, {rate('http_requests_total', 'method, endpoint')})"
            },
        ),
        Panel(
            "Slowest endpoints, 95 % within",
            "s",
            {
                "{{method}} {{endpoint}}": "topk(8, histogram_quantile(0.95, sum by (method, endpoint, le)"
                " (rate(http_request_duration_seconds_bucket[5m]))))"
            },
        ),
        Panel("Refusals by code", "reqps", {"{{code}}": rate("http_refusals_total", "code")}),
        Panel(
            "Refused by rate limit",
            "reqps",
            {"{{limit}}": rate("rate_limit_refusals_total", "limit")},
        ),
        Panel("Logins by outcome", "ops", {"{{outcome}}": rate("logins_total", "outcome")}),
        Panel("Sign-ups by outcome", "ops", {"{{outcome}}": rate("sign_ups_total", "outcome")}),
        Panel(
            "Requests in progress",
            "short",
            {"{{instance}}": "sum by (instance) (http_requests_in_progress)"},
        ),
        Panel(
            "Reached by name",
            "short",
            {"reached": "probe_success", "seconds it took": "probe_duration_seconds"},
            "As a caller sees it: name, TLS, nginx, service.",
        ),
    ],
)

DATA = Dashboard(
    "madang-data",
    "Database and cache",
    [
        Panel("Usable", "short", {"PostgreSQL": "max(database_up)", "Redis": "max(redis_up)"}),
        Panel(
            "Statements",
            "ops",
            {"{{operation}}": rate("db_query_duration_seconds_count", "operation")},
        ),
        Panel(
            "How long they take, 95 % within",
            "s",
            {
                "{{operation}}": "histogram_quantile(0.95, sum by (operation, le)"
                " (rate(db_query_duration_seconds_bucket[5m])))"
            },
        ),
        Panel(
            "Connections",
            "short",
            {
                "{{state}}": "sum by (state) (db_pool_connections)",
                "there may be": "sum(db_pool_capacity)",
            },
        ),
        Panel(
            "Public answers out of the cache",
            "percentunit",
            {
                "{{cache}}": rate("cache_requests_total", "cache", where='{result="hit"}')
                + " / "
                + rate("cache_requests_total", "cache")
            },
        ),
        Panel(
            "What became of them",
            "ops",
            {"{{cache}} {{result}}": rate("cache_requests_total", "cache, result")},
        ),
        Panel("Redis calls that failed", "ops", {"{{use}}": rate("redis_failures_total", "use")}),
        Panel(
            "Redis memory",
            "bytes",
            {"used": "max(redis_memory_used_bytes)", "at most": "max(redis_memory_max_bytes)"},
        ),
        Panel(
            "Keys dropped for want of memory",
            "ops",
            {"evicted": "max(rate(redis_evicted_keys_total[5m]))"},
        ),
        Panel(
            "Keys asked for",
            "ops",
            {
                "found": "max(rate(redis_keyspace_hits_total[5m]))",
                "not found": "max(rate(redis_keyspace_misses_total[5m]))",
            },
        ),
    ],
)

PROCESS = Dashboard(
    "madang-process",
    "Process and machine",
    [
        Panel(
            "CPU",
            "percentunit",
            {"{{instance}} {{pid}}": f"rate(process_cpu_seconds_total{HERE}[5m])"},
            "Of one core, which is all that a worker can use.",
        ),
        Panel("Memory", "bytes", {"{{instance}} {{pid}}": f"process_resident_memory_bytes{HERE}"}),
        Panel("Threads", "short", {"{{instance}} {{pid}}": f"process_threads{HERE}"}),
        Panel(
            "Open files and sockets", "short", {"{{instance}} {{pid}}": f"process_open_fds{HERE}"}
        ),
        Panel("Age", "s", {"{{instance}} {{pid}}": f"time() - process_start_time_seconds{HERE}"}),
        Panel("Password hashes", "ops", {"hashes": rate("password_hashes_total")}),
        Panel(
            "Lines of the log that were lost",
            "short",
            {"lines": "sum(increase(log_lines_lost_total[5m]))"},
        ),
        Panel(
            "Machine",
            "percentunit",
            {"busy": '1 - avg(rate(node_cpu_seconds_total{mode="idle"}[5m]))'},
        ),
        Panel(
            "Free on disk",
            "percentunit",
            {
                "{{mountpoint}}": 'node_filesystem_avail_bytes{fstype!~"tmpfs|overlay|squashfs"}'
                " / node_filesystem_size_bytes"
            },
        ),
        Panel(
            "The certificate lasts for",
            "s",
            {"{{instance}}": "probe_ssl_earliest_cert_expiry - time()"},
        ),
    ],
)

DASHBOARDS = [SERVICE, DATA, PROCESS]
