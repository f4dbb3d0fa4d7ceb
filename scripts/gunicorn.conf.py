"""How every deployment starts the service: ``gunicorn -c scripts/gunicorn.conf.py wsgi:app``."""

import gc
import os
import sys

from api.config import Misconfigured, Settings
from api.infra import changes, logging, memory, metrics_server

# Before there are threads, or processes that share what is imported here (changes): workers inherit both.
memory.share()

try:
    # Here, before anything is bound or forked: a wrong environment ends with every fault named, once.
    _settings = Settings.from_env(os.environ)
except Misconfigured as _fault:
    sys.exit(str(_fault))

_host = os.environ.get("BIND") or "0.0.0.0"  # noqa: S104 - a container has one purpose  # nosec B104
if _settings.metrics_port:
    metrics_server.prepare()

worker_class = "api.web.asgi.worker.Worker"
bind = f"{_host}:{_settings.port}"
workers = _settings.web_concurrency
preload_app = False
max_requests = 0

# Seconds. Behind a proxy that keeps connections for 60 s the proxy must be the one that closes first.
keepalive = 75
# Below the 30 s that Docker and Render leave between SIGTERM and SIGKILL.
graceful_timeout = 25
# How long a worker's event loop may stand still; not a deadline for requests.
timeout = 30
# Workers show that they live by touching a file; on a disk that can stall.
worker_tmp_dir = str(metrics_server.MEMORY) if metrics_server.MEMORY.is_dir() else None

limit_request_line = 8190
limit_request_fields = 100
limit_request_field_size = 8190
header_map = "drop"

# The application reads X-Forwarded-For itself, by TRUSTED_PROXY_HOPS; nobody's word is taken here.
forwarded_allow_ips = ""
secure_scheme_headers: dict[str, str] = {}
forwarder_headers = ""
proxy_allow_ips = ""

# The application writes the access log, and gunicorn's own lines go the same way.
accesslog = None
errorlog = None
logger_class = "api.infra.server_log.ServerLog"
loglevel = _settings.log_level.lower()
logconfig_dict = logging.configuration(_settings, waits=False)
control_socket_disable = True


def when_ready(_server: object) -> None:
    if _settings.metrics_port:
        metrics_server.start(_host, _settings.metrics_port)


def on_exit(_server: object) -> None:
    metrics_server.stop()


def child_exit(_server: object, worker: object) -> None:
    """A worker that was killed may have changed something that it could tell no cache of."""
    changes.lose()
    metrics_server.forget(worker.pid)  # type: ignore[attr-defined]


def post_worker_init(_worker: object) -> None:
    """What cannot be parsed is answered in the service's own shape, and connections end as announced."""
    from api.infra import log_queue, memory
    from api.web.asgi import drain, unparsable

    # What the start has made stays for good: no collection needs to look at it again.
    gc.collect()
    gc.freeze()
    memory.give_back()
    log_queue.begin()
    unparsable.install()
    drain.install()
