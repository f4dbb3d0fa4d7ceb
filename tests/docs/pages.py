"""Reads the project's documents: their code, links and headings."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
INLINE = re.compile(r"`([^`\n]+)`")


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path) -> list[tuple[str, str]]:
    """Language and text of each block of code."""
    return FENCE.findall(page.read_text(encoding="utf-8"))


def sections(page: Path) -> dict[str, list[str]]:
    """Blocks of commands by the heading of second rank that they stand under."""
    parts = page.read_text(encoding="utf-8").split("\n## ")[1:]
    found = {part.partition("\n")[0]: FENCE.findall(part) for part in parts}
    return {
        heading: [text.strip() for language, text in fences if language == "bash"]
        for heading, fences in found.items()
        if fences
    }


def prose(page: Path) -> str:
    """The page without its blocks of code, in which a # is no heading."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def links(page: Path) -> list[str]:
    """Targets within the repository."""
    return [target for target in LINK.findall(prose(page)) if "://" not in target]


def anchors(page: Path) -> set[str]:
    """The fragments by which GitHub reaches the headings of a page."""
    headings = (heading.lower().replace(" ", "-") for heading in HEADING.findall(prose(page)))
    return {re.sub(r"[^\w-]", "", heading) for heading in headings}


def spans(page: Path) -> list[str]:
    """What stands between single backticks."""
    return INLINE.findall(prose(page))
