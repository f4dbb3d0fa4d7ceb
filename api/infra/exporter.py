"""Serves the metrics of all processes of this host on a port of their own, from a process of its own.

    python -m api.infra.exporter HOST PORT

gunicorn's master starts it (api/infra/metrics_server.py), and it ends with that. It answers also when every worker is
busy or hangs, which is when metrics are wanted. To what the workers have counted it adds what it sees itself: whether
the servers behind can be used, what the processes take, and what is running.
"""

from __future__ import annotations

import os
import platform
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from importlib.metadata import version

import psutil
from prometheus_client import CollectorRegistry, Metric, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from redis.exceptions import RedisError

from api.config import Settings
from api.infra import health, redis
from api.infra.metrics_server import FOLDER

REST = 0.5
"""Seconds between two looks at whether the parent is alive."""


def main(host: str, port: str) -> None:
    parent, folder = os.getppid(), os.environ[FOLDER]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's
    try:
        start_http_server(int(port), host, registry(Settings.from_env(os.environ), folder, parent))
        while os.getppid() == parent:
            time.sleep(REST)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def registry(settings: Settings, folder: str, parent: int) -> CollectorRegistry:
    """*parent* is the process whose children are to be seen."""
    found = CollectorRegistry()
    MultiProcessCollector(found, path=folder)  # type: ignore[no-untyped-call]
    found.register(_Of(partial(_build, settings.revision or "unknown")))
    found.register(_Of(partial(_processes, parent)))
    found.register(Servers(settings))
    return found


class _Of:
    """A collector in the shape of prometheus_client, which asks it anew for each scrape."""

    def __init__(self, collect: Callable[[], Iterable[Metric]]) -> None:
        self.collect = collect


class Servers:
    """PostgreSQL and Redis, asked at the same time: a scrape waits 2 seconds for them at most."""

    def __init__(self, settings: Settings) -> None:
        self._database = health.database_probe(settings.database_url, settings.database_url_file)
        self._redis = redis.connect(settings.redis_url)

    def collect(self) -> Iterator[Metric]:
        with ThreadPoolExecutor(2) as pool:
            database, stats = pool.submit(self._has_database), pool.submit(self._redis_stats)
        yield GaugeMetricFamily("database_up", "Whether a statement can be run", database.result())
        found = stats.result()
        yield GaugeMetricFamily("redis_up", "Whether Redis answers", found is not None)
        if found is not None:
            yield from _of_redis(found)

    def _has_database(self) -> bool:
        try:
            self._database()
        except Exception:  # whatever it is, it cannot be used
            return False
        return True

    def _redis_stats(self) -> dict[str, int] | None:
        try:
            found = [self._redis.info(section) for section in ("memory", "stats")]
        except (RedisError, OSError):
            return None
        return {name: value for section in found for name, value in section.items()}  # type: ignore[union-attr]


def _of_redis(found: dict[str, int]) -> Iterator[Metric]:
    yield GaugeMetricFamily("redis_memory_used_bytes", "By data and all else", found["used_memory"])
    yield GaugeMetricFamily("redis_memory_max_bytes", "0 is no limit", found["maxmemory"])
    yield CounterMetricFamily(
        "redis_evicted_keys", "Keys dropped for want of memory", found["evicted_keys"]
    )
    yield CounterMetricFamily("redis_keyspace_hits", "Keys found", found["keyspace_hits"])
    yield CounterMetricFamily("redis_keyspace_misses", "Keys not found", found["keyspace_misses"])


def _processes(parent: int) -> Iterator[Metric]:
    """prometheus_client has none of these when several processes count."""
    cpu = CounterMetricFamily("process_cpu_seconds", "User and system", labels=["pid"])
    memory = GaugeMetricFamily("process_resident_memory_bytes", "Resident", labels=["pid"])
    files = GaugeMetricFamily("process_open_fds", "Open files and sockets", labels=["pid"])
    threads = GaugeMetricFamily("process_threads", "Threads", labels=["pid"])
    since = GaugeMetricFamily("process_start_time_seconds", "Since the epoch", labels=["pid"])
    for process in _workers(parent):
        with suppress(psutil.Error), process.oneshot():
            label, times = [str(process.pid)], process.cpu_times()
            cpu.add_metric(label, times.user + times.system)
            memory.add_metric(label, process.memory_info().rss)
            files.add_metric(label, process.num_fds())
            threads.add_metric(label, process.num_threads())
            since.add_metric(label, process.create_time())
    yield from (cpu, memory, files, threads, since)


def _workers(parent: int) -> list[psutil.Process]:
    try:
        return [each for each in psutil.Process(parent).children() if each.pid != os.getpid()]
    except psutil.Error:
        return []


def _build(revision: str) -> Iterator[Metric]:
    labels = {"version": version("madang"), "revision": revision}
    build = GaugeMetricFamily("build_info", "What is running", labels=[*labels, "python"])
    build.add_metric([*labels.values(), platform.python_version()], 1)
    yield build


if __name__ == "__main__":
    main(*sys.argv[1:])
