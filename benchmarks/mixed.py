"""Mixed work behind nginx, as the compose file has it: so many requests a second, however late the answers are.

    ./scripts/bench mixed [--posts 100000] [--rate 500] [--seconds 300]

Of ten requests four are lists, four read one post, one searches and one writes. They come from forty addresses, since
nginx grants each 50 requests a second.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import cycle
from urllib.parse import quote, urlsplit

from api.commands.seed_text import english_name
from benchmarks import service
from benchmarks.cases import POSTS, WRITERS
from benchmarks.open_loop import Load, addresses, summary
from benchmarks.report import about
from benchmarks.service import Target
from scripts.embedded import scratch_home
from scripts.home import Refused
from tests import nginx
from tests.system import PACKAGES

ADDRESSES = addresses(40)
KINDS = ("list", "read") * 4 + ("search", "write")
REQUESTS = 5_000
"""Until they begin again: longer than any answer is kept."""
WARM_UP = 5
"""Seconds."""
HEAD = """\
| requests/s | for | p50, ms | p99, ms | slowest, ms | answers |
|---|---|---|---|---|---|"""


def main() -> int:
    parser = argparse.ArgumentParser(prog="./scripts/bench mixed", description=__doc__)
    parser.add_argument("--posts", type=int, default=100_000)
    parser.add_argument("--rate", type=float, default=500)
    parser.add_argument("--seconds", type=int, default=300)
    options = parser.parse_args()
    try:
        if not PACKAGES["nginx"].find():
            raise Refused("nginx is missing: install it (on Debian and Ubuntu the package nginx)")
        with service.running(options.posts) as target:
            print("\n".join([*about(target), "", HEAD]), flush=True)
            statuses = _measured(target, options.rate, options.seconds)
    except Refused as refusal:
        print(refusal, file=sys.stderr)
        return 1
    return 0 if statuses <= {"200", "201"} else 1


def _measured(target: Target, rate: float, seconds: int) -> set[str]:
    """The statuses that there were."""
    with (
        scratch_home() as home,
        service.beside(target, "mixed", TRUSTED_PROXY_HOPS="1") as (url, _),
        nginx.in_front_of(url, home=home) as front,
    ):
        asked = requests(replace(target, url=url), urlsplit(front).netloc)
        for duration in (WARM_UP, seconds):
            load = Load(front, cycle(asked), ADDRESSES)
            load.open(rate, duration)
        found = summary(load.answers, seconds)
    row = [f"{rate:g}", f"{seconds} s", *map(str, found["good_ms"]), json.dumps(found["statuses"])]
    print(f"| {' | '.join(row)} |", flush=True)
    return set(found["statuses"])


def requests(target: Target, host: str) -> list[bytes]:
    """On the wire."""
    drawn = random.Random(1)  # noqa: S311 - the same ones each time
    ids = [row[0] for row in target.rows("SELECT id FROM posts WHERE is_published LIMIT 10000")]
    tokens = [target.token(number) for number in range(1, WRITERS + 1)]
    words = ["quiet", "시장", *map(english_name, range(100))]
    body = json.dumps({"title": "A day", "body": "b" * 400, "is_published": True}).encode()

    def one(kind: str) -> bytes:
        if kind == "write":
            return _asked("POST", POSTS, host, body, drawn.choice(tokens))
        paths: Sequence[str] = {
            "list": (POSTS, POSTS, f"{POSTS}?page={drawn.randint(2, 9)}"),
            "read": (f"{POSTS}/{drawn.choice(ids)}",),
            "search": (f"{POSTS}?q={quote(drawn.choice(words))}",),
        }[kind]
        return _asked("GET", drawn.choice(paths), host)

    return [one(kind) for kind, _ in zip(cycle(KINDS), range(REQUESTS), strict=False)]


def _asked(method: str, path: str, host: str, body: bytes = b"", token: str = "") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}"]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


if __name__ == "__main__":
    sys.exit(main())
