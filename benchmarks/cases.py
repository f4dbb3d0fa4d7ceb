"""What is measured. Where a kept answer would be measured in place of the work, each request differs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from api.commands.seed import PASSWORD
from api.commands.seed_large import POSTS_OF_A_NAME
from api.commands.seed_text import english_name
from benchmarks.service import Target
from scripts.home import Refused, write_private

CONNECTIONS = 8
LOGGING_IN = 4
WRITERS = 32
POSTS = "/api/v1/posts"
PAST = "created_after={past}"
"""A filter that leaves out nothing: such lists are kept too, but each is asked for once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    name: str
    script: str
    arguments: Callable[[], list[str]]
    """Asked for before each run."""
    connections: int = CONNECTIONS
    sample: str | None = None
    """A path that has to answer with something."""

    def check(self, target: Target) -> None:
        """Raises ``Refused`` where nothing would be measured."""
        if self.sample is not None:
            data = target.ask(self.sample)
            if not data.get("items", data):
                raise Refused(f"{self.name}: {self.sample} finds nothing")


def cases(target: Target) -> list[Case]:
    ids = [row[0] for row in target.rows("SELECT id FROM posts WHERE is_published LIMIT 10000")]
    # A name stands in ten titles or so of either language; the first ones in fewer if there are few posts.
    names = [english_name(number) for number in range(max(1, target.posts // POSTS_OF_A_NAME))]
    return [
        _get(target, "list", [POSTS]),
        _get(target, "list, filtered", [f"{POSTS}?{PAST}"]),
        _get(target, "page 100, filtered", [f"{POSTS}?page=100&{PAST}"]),
        Case(name="walk by cursor", script="walk.lua", arguments=lambda: [POSTS]),
        _get(target, "single", [f"{POSTS}/{id_}" for id_ in ids]),
        _get(target, "search, rare word", [_search(name) for name in names]),
        _get(target, "search, common word", [_search("quiet")]),
        _get(target, "search, Korean prefix", [_search("시장")]),
        Case(name="create", script="create.lua", arguments=lambda: [tokens(target), POSTS]),
        Case(
            name="login",
            script="login.lua",
            arguments=lambda: [PASSWORD, "/api/v1/auth/login"],
            connections=LOGGING_IN,
        ),
    ]


def _get(target: Target, name: str, paths: list[str]) -> Case:
    """Requests for random ones of the paths."""
    file = target.home / f"{name}.paths"
    file.write_text("\n".join(paths))
    sample = paths[-1].format(past="2000-01-01T00:00:00Z", noise="")
    return Case(name=name, script="get.lua", arguments=lambda: [str(file)], sample=sample)


def _search(word: str) -> str:
    """Punctuation says nothing, and makes each of them another request."""
    return f"{POSTS}?q={quote(word)}{{noise}}"


def tokens(target: Target) -> str:
    """Of several people: two posts of one person wait for each other, as both are counted there."""
    file: Path = target.home / "tokens"
    write_private(file, "\n".join(target.token(number) for number in range(1, WRITERS + 1)))
    return str(file)
