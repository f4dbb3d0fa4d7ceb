"""The deployed configuration on a real nginx, in front of real servers; only addresses are exchanged."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests import live
from tests.system import require
from tests.waiting import PATIENCE, until

SOURCE = live.ROOT / "nginx"
NAME = "localhost"


@contextmanager
def in_front_of(*upstreams: str, home: Path) -> Iterator[str]:
    """Its URL; *upstreams* are URLs of the service."""
    port = live.free_port()
    with _run(configure(home, "http", upstreams, {"8080": port}), home, port):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def with_tls(*upstreams: str, home: Path) -> Iterator[tuple[str, str]]:
    """Its URLs without and with TLS, under the name that its certificate (``home/certificates``) is for."""
    plain, secure = live.free_port(), live.free_port()
    certify(home / "certificates")
    configuration = configure(home, "https", upstreams, {"8080": plain, "8443": secure})
    with _run(configuration, home, secure):
        yield f"http://{NAME}:{plain}", f"https://{NAME}:{secure}"


def configure(home: Path, site: str, upstreams: tuple[str, ...], ports: dict[str, int]) -> Path:
    """Docker's resolver finds all addresses of ``app``, the image's entrypoint puts SERVER_NAME in."""
    shutil.copytree(SOURCE, home / "nginx")
    (home / "sites").mkdir()
    addresses = [url.removeprefix("http://") for url in upstreams]
    template = home / "nginx" / "sites" / f"{site}.conf.template"
    shutil.copy(template, home / "sites" / "site.conf")
    for file in [*home.glob("nginx/*.conf"), home / "sites" / "site.conf"]:
        text = file.read_text(encoding="utf-8")
        text = re.sub(r"/tmp/|/dev/std(out|err)", lambda found: _own(found, home), text)
        text = text.replace("${SERVER_NAME}", f"{NAME} 127.0.0.1" if site == "http" else NAME)
        text = re.sub(r"server app:8000.*;", lambda found: _each(found[0], addresses), text)
        text = text.replace("127.0.0.1:8079", f"unix:{home}/health")
        text = text.replace("/etc/nginx/certificates", str(home / "certificates"))
        text = re.sub(r"/etc/nginx/(service|errors)\.conf", rf"{home}/nginx/\1.conf", text)
        for default, port in ports.items():
            text = text.replace(f"listen {default}", f"listen 127.0.0.1:{port}")
        file.write_text(text, encoding="utf-8")
    return home / "nginx" / "nginx.conf"


def _each(line: str, addresses: list[str]) -> str:
    return "\n".join(line.replace("app:8000", address) for address in addresses)


def _own(found: re.Match[str], home: Path) -> str:
    """nginx as a container has /tmp and the standard streams for itself."""
    return f"{home}/" if found[0] == "/tmp/" else f"{home}/nginx.{found[1]}"


def certify(folder: Path, days: int = 2) -> None:
    """A certificate for ``NAME``, and its key, as certbot would name them; what was there is replaced."""
    folder.mkdir(exist_ok=True)
    files = ["-keyout", str(folder / "privkey.pem"), "-out", str(folder / "fullchain.pem")]
    name = ["-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}"]
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command = [str(require("openssl")), "req", "-x509", *key, "-days", str(days), *name, *files]
    subprocess.run(command, check=True, capture_output=True)


def reload(home: Path) -> None:
    """Let it read its files anew, such as another certificate."""
    configuration = home / "nginx" / "nginx.conf"
    command = [str(require("nginx")), "-c", str(configuration), "-p", str(home), "-s", "reload"]
    subprocess.run(command, check=True, capture_output=True)


@contextmanager
def _run(configuration: Path, home: Path, port: int) -> Iterator[None]:
    command = [str(require("nginx")), "-c", str(configuration), "-p", str(home)]
    with (home / "nginx.start").open("wb") as output:
        process = subprocess.Popen(
            [*command, "-g", "daemon off;"], stdout=output, stderr=subprocess.STDOUT
        )
    try:
        with live.shown(home / "nginx.start"):
            until(lambda: process.poll() is not None or live.listens(port))
            assert process.poll() is None
        yield
    finally:
        process.terminate()
        process.wait(PATIENCE)
