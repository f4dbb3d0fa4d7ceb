"""A real nginx in front of a server, as far as a test needs one."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests import live
from tests.system import require

ERRORS = live.ROOT / "nginx" / "errors.conf"
CONFIGURATION = """
daemon off; pid {home}/pid; error_log {home}/error.log;
events {{}}
http {{
    access_log off; gzip on; gzip_min_length 1; gzip_types application/json;
    client_body_temp_path {home}/body; proxy_temp_path {home}/proxy; fastcgi_temp_path {home}/fastcgi;
    uwsgi_temp_path {home}/uwsgi; scgi_temp_path {home}/scgi;
    server {{
        listen 127.0.0.1:{port};
        include {errors};
        client_max_body_size 64k; client_body_buffer_size 64k; large_client_header_buffers 4 8k;
        location / {{ proxy_pass {upstream}; proxy_http_version 1.1; proxy_set_header Host $proxy_host; }}
    }}
}}
"""


@contextmanager
def in_front_of(upstream: str, home: Path) -> Iterator[str]:
    """Its URL. Answers are compressed for whoever takes that."""
    port = live.free_port()
    configuration = home / "nginx.conf"
    values = {"home": home, "port": port, "upstream": upstream, "errors": ERRORS}
    configuration.write_text(CONFIGURATION.format(**values))
    process = subprocess.Popen([require("nginx"), "-c", configuration, "-p", home])
    try:
        yield _once_up(f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait(live.PATIENCE)


def _once_up(url: str) -> str:
    end = time.monotonic() + live.PATIENCE
    while time.monotonic() < end:
        try:
            httpx.get(f"{url}/healthz")
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return url
    raise AssertionError("nginx did not start")
