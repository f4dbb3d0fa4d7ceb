"""Madang and what one could pick instead: the same operations on the same rows, asked in turn.

    ./scripts/bench compare [--posts 100000] [--rounds 5] [--seconds 5] [--only NAME] [--plot FILE]

Answers are held against each other before anything is timed. In each round every server does every work once, each
as often first as last, since the machine may have other things to do; a ratio is made of two figures of one round.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from api.commands.seed import PASSWORD
from benchmarks import bars, plot, rivals, service, wrk
from benchmarks.cases import CONNECTIONS, POSTS, tokens
from benchmarks.report import about, spread
from benchmarks.rivals import FASTAPI, FLOOR, MADANG, Rival
from benchmarks.service import Target
from scripts.home import Refused

WARM_UP = 2
"""Seconds."""
PAGE = f"{POSTS}?cursor=&created_after={{past}}"
"""Of which there are too many for any of them to be kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    name: str
    script: str
    arguments: Callable[[str], list[str]]
    """For the server of that name; asked for before each run."""
    servers: tuple[str, ...] = (MADANG, FASTAPI, rivals.TUNED, rivals.DJANGO, rivals.FLASK)
    connections: int = CONNECTIONS


@dataclass(frozen=True, slots=True)
class Run:
    rate: float
    p50: float
    p99: float
    cpu: float
    """Milliseconds of a processor for each request."""


Found = dict[str, dict[str, list[Run]]]
"""By work and server, one for each round."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="./scripts/bench compare", description=__doc__)
    parser.add_argument("--posts", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--only", default="", help="works with this in their name")
    parser.add_argument("--plot", type=Path, help="a picture, as SVG and PNG")
    parser.add_argument("--json", type=Path, help="a file for the figures")
    options = parser.parse_args()
    names = bars.chosen(parser, options.only, bars.BARS)
    try:
        wrk.install()
        rivals.install()
        with service.running(options.posts) as target, rivals.running(target) as servers:
            _hold_against_each_other(target, servers)
            chosen = [each for each in works(target) if each.name in names]
            found, hashes = _measured(chosen, servers, options.rounds, options.seconds)
            lines = about(target)
    except Refused as refusal:
        print(refusal, file=sys.stderr)
        return 1
    if options.json:
        options.json.write_text(json.dumps(_plain(found), indent=1))
    if options.plot:
        plot.draw(found, options.plot)
    print("\n".join([*lines, "", *_table(chosen, found), "", *bars.table(found, hashes)]))
    return 0


def works(target: Target) -> list[Work]:
    ids = [row[0] for row in target.rows("SELECT id FROM posts WHERE is_published LIMIT 10000")]
    files = {"list": [POSTS], "page": [PAGE], "single": [f"{POSTS}/{id_}" for id_ in ids]}
    paths = {name: target.home / f"{name}.rivals" for name in files}
    for name, lines in files.items():
        paths[name].write_text("\n".join(lines))
    with_tag = _tagged(target, str(paths["list"]))
    everybody = (MADANG, FASTAPI, rivals.TUNED, rivals.DJANGO, rivals.FLASK, FLOOR)
    return [
        Work(
            name="list, kept",
            script="get.lua",
            arguments=lambda _: [str(paths["list"])],
            servers=everybody,
        ),
        Work(
            name=bars.NOT_MODIFIED,
            script="get.lua",
            arguments=with_tag,
            servers=everybody,
        ),
        Work(
            name="single, logged in",
            script="get.lua",
            arguments=lambda _: [str(paths["single"]), tokens(target)],
        ),
        Work(
            name="page of 20, not kept",
            script="get.lua",
            arguments=lambda _: [str(paths["page"])],
        ),
        Work(
            name="create, logged in",
            script="create.lua",
            arguments=lambda _: [tokens(target), POSTS],
        ),
        Work(
            name=bars.LOGIN,
            script="login.lua",
            arguments=lambda _: [PASSWORD, "/api/v1/auth/login"],
            connections=4,
        ),
    ]


def _tagged(target: Target, paths: str) -> Callable[[str], list[str]]:
    """Madang's answer is known to the caller; the others give no tags."""

    def arguments(server: str) -> list[str]:
        if server != MADANG:
            return [paths]
        headers, _ = service.asked(target.url + POSTS)
        return [paths, "", headers["ETag"]]

    return arguments


def _hold_against_each_other(target: Target, servers: dict[str, Rival]) -> None:
    """Raises ``Refused`` for one that answers something else."""
    [[post]] = target.rows("SELECT id FROM posts WHERE is_published LIMIT 1")
    token = target.token(1)
    who = {"email": "demo_1@example.com", "password": PASSWORD}
    new = {"title": "t", "body": "b", "is_published": True}
    questions: dict[str, Callable[[str], Any]] = {
        "list": lambda url: service.asked(url + POSTS)[1],
        "second page": lambda url: service.asked(f"{url}{POSTS}?page=2&size=7")[1],
        "page": _walked,
        "single": lambda url: service.asked(f"{url}{POSTS}/{post}", token=token)[1],
        "create": lambda url: _lasting(service.asked(url + POSTS, new, token)[1]),
        "login": lambda url: _kinds(service.asked(f"{url}/api/v1/auth/login", who)[1]),
    }
    for name, ask in questions.items():
        wanted = ask(servers[MADANG].url)
        for rival in servers.values():
            if rival.name in (MADANG, FLOOR):
                continue
            try:
                answer = ask(rival.url)
            except OSError as fault:
                raise Refused(f"{rival.name}, {name}: {fault}\n{rival.last_words()}") from fault
            if answer != wanted:
                raise Refused(
                    f"{rival.name} answers {name} in another way: {answer} {wanted}"[:2000]
                )


def _walked(url: str) -> Any:
    """Two parts; how a cursor is written is everybody's own affair."""
    first = service.asked(f"{url}{PAGE.format(past='1970-01-01T00:00:00Z')}")[1]
    second = service.asked(url + first["data"]["next"])[1]
    for part in (first, second):
        part["data"]["next"] = None
    return first, second


def _lasting(answer: Any) -> Any:
    changing = ("id", "published_at", "created_at", "updated_at")
    return {**answer["data"], **dict.fromkeys(changing)}


def _kinds(answer: Any) -> Any:
    return {name: type(value).__name__ for name, value in answer["data"].items() if name in _TOKEN}


_TOKEN = {"access_token", "token_type", "expires_in"}


def _measured(
    chosen: list[Work], servers: dict[str, Rival], rounds: int, seconds: int
) -> tuple[Found, list[float]]:
    """And what one verification of a password cost in each round."""
    found: Found = {work.name: defaultdict(list) for work in chosen}
    hashes = []
    for work in chosen:
        for name in work.servers:
            measure(work, servers[name], WARM_UP)
    for number in range(rounds):
        for work in chosen:
            first = number % len(work.servers)
            for name in work.servers[first:] + work.servers[:first]:
                run = measure(work, servers[name], seconds)
                found[work.name][name].append(run)
                said = f"{run.rate:.0f}/s, {run.cpu:.3f} ms of CPU, p99 {run.p99:.1f} ms"
                print(
                    f"round {number + 1}: {work.name}: {name} {said}", file=sys.stderr, flush=True
                )
        hashes.append(bars.hash_cost())
    return found, hashes


def measure(work: Work, rival: Rival, seconds: int) -> Run:
    return ready(work, rival, seconds)()


def ready(work: Work, rival: Rival, seconds: int) -> Callable[[], Run]:
    """What is to be measured, with all done that comes before it."""
    return partial(_measure, work, rival, seconds, work.arguments(rival.name))


def _measure(work: Work, rival: Rival, seconds: int, arguments: list[str]) -> Run:
    before = rival.cpu()
    measured = wrk.run(work.script, arguments, rival.url, work.connections, seconds)
    if measured.errors or not measured.requests:
        raise Refused(f"{rival.name}, {work.name}: {measured.errors} of {measured.requests} failed")
    cpu = (rival.cpu() - before) / measured.requests * 1000
    return Run(measured.rate, measured.p50, measured.p99, cpu)


def _table(chosen: list[Work], found: Found) -> list[str]:
    lines = [
        "| work | server | requests/s | p50, ms | p99, ms | CPU, ms | throughput, of FastAPI's | CPU, of FastAPI's |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for work in chosen:
        theirs = found[work.name][FASTAPI]
        for name in work.servers:
            runs = found[work.name][name]
            figures = [spread([get(run) for run in runs]) for get in (_rate, _p50, _p99, _cpu)]
            ratios = [
                spread([get(a) / get(b) for a, b in zip(runs, theirs, strict=True)])
                for get in (_rate, _cpu)
            ]
            lines.append(f"| {' | '.join([work.name, name, *figures, *ratios])} |")
    return lines


def _rate(run: Run) -> float:
    return run.rate


def _p50(run: Run) -> float:
    return run.p50


def _p99(run: Run) -> float:
    return run.p99


def _cpu(run: Run) -> float:
    return run.cpu


def _plain(found: Found) -> Any:
    return {
        work: {name: [(r.rate, r.p50, r.p99, r.cpu) for r in runs] for name, runs in by.items()}
        for work, by in found.items()
    }


if __name__ == "__main__":
    sys.exit(main())
