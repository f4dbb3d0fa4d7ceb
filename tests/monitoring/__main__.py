"""Draws the dashboards of docs/observability.md: a service under mixed load, and a real Prometheus that watches it.

    python -m tests.monitoring [MINUTES]

In the middle Redis is gone for a while, and later PostgreSQL, so that there is something to see.
"""

from __future__ import annotations

import random
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread

import httpx

from scripts import embedded
from scripts.dashboards.__main__ import main as dashboards
from tests import live, nginx
from tests.infra.link import Link
from tests.monitoring.watch import watching

PASSWORD = "yard-demo-2026!"
"""Of the demo data, which the README tells."""


def main(minutes: float) -> None:
    with ExitStack() as stack:
        home = Path(stack.enter_context(TemporaryDirectory()))
        servers = stack.enter_context(
            embedded.servers(stack.enter_context(embedded.scratch_home()))
        )
        database, cache = httpx.URL(servers.database_url), httpx.URL(servers.redis_url)
        wires = [Link("127.0.0.1", url.port or 0) for url in (database, cache)]
        metrics = live.free_port()
        environment = {
            "ENVIRONMENT": "test",
            "DATABASE_URL": str(database.copy_with(host="127.0.0.1", port=wires[0].port)),
            "REDIS_URL": str(cache.copy_with(host="127.0.0.1", port=wires[1].port)),
            "JWT_SECRET_KEY": "a signing key for a picture, 32 bytes or more",
            "METRICS_PORT": str(metrics),
            "BIND": "127.0.0.1",
            "TRUSTED_PROXY_HOPS": "1",
            "RATE_LIMIT_SCALE": "6",
        }
        for command in ("release", "seed"):
            live.madang(command, environment)
        server = stack.enter_context(live.serve(environment, home / "log"))
        (home / "nginx").mkdir()
        _, site = stack.enter_context(nginx.with_tls(server.url, home=home / "nginx"))
        believed = home / "nginx/certificates/fullchain.pem"
        prometheus = stack.enter_context(
            watching(home, [f"127.0.0.1:{metrics}"], f"{site}/healthz", believed, "")
        )
        over = Event()
        callers = [Thread(target=visit, args=[server.url, number, over]) for number in range(6)]
        for caller in callers:
            caller.start()
        time.sleep(minutes * 60 * 0.5)
        for wire in reversed(wires):
            wire.cut()
            time.sleep(minutes * 60 * 0.05)
            wire.mend()
            time.sleep(minutes * 60 * 0.2)
        over.set()
        for caller in callers:
            caller.join()
        # At first a rate over five minutes is one over less.
        dashboards(["--draw", prometheus.url, "--minutes", str(max(1, minutes - 5))])


def visit(url: str, number: int, over: Event) -> None:
    """Mostly reads, as people do; now and then a wrong password, a bad request, a path that is not there."""
    chance = random.Random(number)
    address = {"X-Forwarded-For": f"192.0.2.{number + 1}"}
    with httpx.Client(base_url=f"{url}/api/v1", headers=address, timeout=10) as client:
        token = ""
        while not over.wait(chance.expovariate(12)):
            with suppress(httpx.TransportError, KeyError, ValueError):
                token = _act(client, chance, token)


def _act(client: httpx.Client, chance: random.Random, token: str) -> str:
    bearer = {"Authorization": f"Bearer {token}"} if token else {}
    match chance.choices(range(7), [60, 20, 10, 5, 3, 1, 1])[0]:
        case 0:
            client.get("/posts", params={"page": chance.randint(1, 3)}, headers=bearer)
        case 1:
            posts = client.get("/posts").json()["data"]["items"]
            client.get(f"/posts/{chance.choice(posts)['id']}", headers=bearer)
        case 2:
            client.get("/posts", params={"q": chance.choice(["마당", "yard", "서울"])})
        case 3:
            client.post("/posts", json={"title": "마당", "body": "Hello."}, headers=bearer)
        case 4:
            client.get("/nowhere")
        case 5:
            name = f"guest_{chance.randrange(10**9)}"
            body = {"email": f"{name}@example.com", "username": name, "password": PASSWORD}
            client.post("/auth/signup", json=body)
        case _:
            password = chance.choice([PASSWORD] * 4 + ["a wrong one"])
            body = {"email": "demo@example.com", "password": password}
            answer = client.post("/auth/login", json=body)
            return str(answer.json()["data"]["access_token"])
    return token


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 12)
