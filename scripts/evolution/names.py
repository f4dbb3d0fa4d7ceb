"""What of the contract differs from the last release, and what the changelog says of it."""

from __future__ import annotations

import re
from typing import Any

from api.web.contract import METHODS

Json = dict[str, Any]

WORDS = ("summary", "description", "example", "examples")
"""For people: a program works the same whatever they say."""
UNRELEASED = re.compile(r"^## \[Unreleased\]\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
CONTRACT = re.compile(r"^### Contract\n(.*?)(?=^### |\Z)", re.MULTILINE | re.DOTALL)


def changed(old: Json, new: Json) -> list[str]:
    """Operations by id, components and rate limits by name: added, removed or altered ones."""
    before, after = _named(old), _named(new)
    differ = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    return sorted({name for _, name in differ})


def named(changelog: str) -> set[str]:
    """Names in backticks under *Contract* in *Unreleased*."""
    sections = (part for found in UNRELEASED.findall(changelog) for part in CONTRACT.findall(found))
    return {name for section in sections for name in re.findall(r"`([^`\n]+)`", section)}


def _named(document: Json) -> dict[tuple[str, str], Any]:
    """References stay references: a component that differs is named once, not with all its users."""
    parts = {
        ("operation", item[method]["operationId"]): [path, item.get("parameters"), item[method]]
        for path, item in document["paths"].items()
        for method in METHODS
        if method in item
    }
    parts |= {("limit", name): limit for name, limit in document["x-rate-limits"].items()}
    for kind, section in document["components"].items():
        if kind != "examples":
            parts |= {(kind, name): node for name, node in section.items()}
    whole = {("document", key): document[key] for key in ("servers", "security")}
    return {key: _without_words(node) for key, node in (parts | whole).items()}


def _without_words(node: Any) -> Any:
    if isinstance(node, list):
        return [_without_words(child) for child in node]
    if not isinstance(node, dict):
        return node
    return {
        # What a schema has under properties are names, which may be the same words.
        key: {name: _without_words(each) for name, each in child.items()}
        if key == "properties"
        else _without_words(child)
        for key, child in node.items()
        if key not in WORDS
    }
