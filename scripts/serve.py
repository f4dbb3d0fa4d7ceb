"""Run the service on this machine: servers, migrations, demo data and gunicorn, which end together."""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from scripts.home import ROOT, Refused, empty, make_home, only_one, secret, write_private
from scripts.service import Watched, await_port, await_ready, command, gunicorn, watch

BANNER = """
Madang runs at {url}  (Ctrl-C stops it)
  documentation  {url}/docs  {url}/redoc
  contract       {url}/openapi.yaml
  log in         demo@example.com / yard-demo-2026!
  commands       (. .madang/env; .venv/bin/madang --help)
"""
WITHOUT_DEMO = "no demo account in a database of yours: see madang seed, madang create-admin"
MANUAL = """\
PORT (8000), BIND (127.0.0.1) and every setting of .env.example are read from the environment. With DATABASE_URL or
REDIS_URL set, that server is used in place of an embedded one. Data and secrets are kept in .madang/."""


def main() -> int:
    options = _arguments()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _stop)
    try:
        _run(fresh=options.fresh)
    except Refused as refusal:
        print(refusal, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        with suppress(OSError):
            print("Stopped")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./scripts/run", description=__doc__, epilog=MANUAL)
    parser.add_argument(
        "--fresh", action="store_true", help="throw away the data and secrets in .madang/ first"
    )
    return parser.parse_args()


def _stop(_number: int, _frame: FrameType | None) -> None:
    # Once is enough: what follows is an orderly end that must not be torn.
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt


def _run(*, fresh: bool) -> None:
    environment = {"ENVIRONMENT": "development", "PORT": "8000", "BIND": "127.0.0.1"} | _given()
    embedded = {name for name in ("DATABASE_URL", "REDIS_URL") if not _is_set(environment, name)}
    home = _home(embedded)
    url = f"http://localhost:{environment['PORT']}"
    with only_one(home, f"{url} (process {os.getpid()})") as killed:
        if fresh:
            _begin_anew(home, embedded)
        # The workers of one that was killed may need a moment to see it.
        await_port(environment["BIND"], environment["PORT"], patience=10 if killed else 0)
        if not _is_set(environment, "JWT_SECRET_KEY"):
            environment["JWT_SECRET_KEY"] = secret(home, "jwt_secret_key")
        with _servers(home, embedded, environment) as watched, _env_file(home, environment):
            _serve(home, watched, environment, demo="DATABASE_URL" in embedded, url=url)


def _given() -> dict[str, str]:
    # An empty variable counts as none, as it does for the settings.
    return {name: value for name, value in os.environ.items() if value}


def _is_set(environment: dict[str, str], name: str) -> bool:
    return name in environment or f"{name}_FILE" in environment


def _home(embedded: set[str]) -> Path:
    home = ROOT / ".madang"
    if embedded:
        from scripts.embedded import settle

        return settle(home)
    make_home(home)
    return home


def _begin_anew(home: Path, embedded: set[str]) -> None:
    if embedded:
        from scripts.embedded import stop_leftovers

        stop_leftovers(home)
    empty(home)


@contextmanager
def _servers(
    home: Path, embedded: set[str], environment: dict[str, str]
) -> Iterator[list[Watched]]:
    """Start what is to be embedded and tell ``environment`` where it is."""
    if not embedded:
        yield []
        return
    # Imported here: a machine with servers of its own need not have the extra.
    from scripts.embedded import servers

    with servers(
        home, database="DATABASE_URL" in embedded, redis="REDIS_URL" in embedded
    ) as running:
        watched = []
        if running.postgres:
            environment["DATABASE_URL"] = running.database_url
            watched.append(Watched("PostgreSQL", running.postgres.process, running.postgres.log))
        if running.valkey:
            environment["REDIS_URL"] = running.redis_url
            watched.append(Watched("Valkey", running.valkey.process, running.valkey.log))
        yield watched


@contextmanager
def _env_file(home: Path, environment: dict[str, str]) -> Iterator[None]:
    """Keep .madang/env while all runs, so that ``madang`` commands find the same servers."""
    file = home / "env"
    names = ("ENVIRONMENT", "PORT", "DATABASE_URL", "REDIS_URL", "JWT_SECRET_KEY")
    known = {name: environment[name] for name in names if name in environment}
    write_private(
        file, "".join(f"export {name}={shlex.quote(value)}\n" for name, value in known.items())
    )
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def _serve(
    home: Path, watched: list[Watched], environment: dict[str, str], *, demo: bool, url: str
) -> None:
    command("release", environment)
    seeded = home / "seeded"
    if demo and not seeded.exists():
        command("seed", environment)
        seeded.touch()
    with gunicorn(environment) as service:
        await_ready(service, environment)
        banner = BANNER.format(url=url)
        if not demo:
            banner = banner.replace("demo@example.com / yard-demo-2026!", WITHOUT_DEMO)
        print(banner, flush=True)
        watch([service, *watched])


if __name__ == "__main__":
    sys.exit(main())
