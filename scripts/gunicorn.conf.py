"""How every deployment starts the service: ``gunicorn -c scripts/gunicorn.conf.py wsgi:app``."""

import os
import sys
from pathlib import Path

from api.config import Misconfigured, Settings
from api.infra import losses  # its memory is to be shared by all workers

try:
    # Here, before anything is bound or forked: a wrong environment ends with every fault named, once.
    _settings = Settings.from_env(os.environ)
except Misconfigured as _fault:
    sys.exit(str(_fault))

worker_class = "api.web.asgi.drain.Worker"
bind = f"{os.environ.get('BIND') or '0.0.0.0'}:{_settings.port}"  # noqa: S104 - a container has one purpose  # nosec B104
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
_memory = "/dev/shm"  # noqa: S108 - gunicorn makes a name of its own in it  # nosec B108
worker_tmp_dir = _memory if Path(_memory).is_dir() else None

limit_request_line = 8190
limit_request_fields = 100
limit_request_field_size = 8190
header_map = "drop"

# The application reads X-Forwarded-For itself, by TRUSTED_PROXY_HOPS; nobody's word is taken here.
forwarded_allow_ips = ""
secure_scheme_headers: dict[str, str] = {}
forwarder_headers = ""
proxy_allow_ips = ""

# The application writes the access log.
accesslog = None
errorlog = "-"
loglevel = _settings.log_level.lower()
control_socket_disable = True


def child_exit(_server: object, _worker: object) -> None:
    """A worker that was killed may have changed something that it could tell no cache of."""
    losses.note()


def post_worker_init(_worker: object) -> None:
    """What cannot be parsed is answered in the service's own shape, and connections end as announced."""
    from api.web.asgi import drain, unparsable

    unparsable.install()
    drain.install()
