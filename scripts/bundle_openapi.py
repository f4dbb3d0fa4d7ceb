"""Fold openapi/ into openapi/bundle.yaml: paths inlined, components named after their files.

Without arguments it writes the bundle; with ``--check`` it writes nothing and fails when stale.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent / "openapi"


class BundleError(Exception):
    """The split files do not fit together; the text says which one and why."""


class Bundler:
    """Reads from one folder; files under its components/ become components, others are inlined."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.origins: dict[tuple[str, str], Path] = {}
        self.components: dict[str, dict[str, Any]] = {}

    def bundle(self) -> dict[str, Any]:
        index = self.root / "openapi.yaml"
        document: dict[str, Any] = self._read(index, "the command line")
        for kind, entries in document.pop("components", {}).items():
            self.components[kind] = self._walk(entries, index, ())
            self.origins.update({(kind, name): index for name in entries})
        document = self._walk(document, index, ())
        document["components"] = {
            kind: dict(sorted(section.items())) for kind, section in sorted(self.components.items())
        }
        return document

    def _walk(self, node: Any, file: Path, open_files: tuple[Path, ...]) -> Any:
        if isinstance(node, list):
            return [self._walk(child, file, open_files) for child in node]
        if not isinstance(node, dict):
            return node
        if "$ref" not in node:
            return {key: self._walk(value, file, open_files) for key, value in node.items()}
        if len(node) > 1:
            raise BundleError(f"{file}: nothing may stand beside $ref: {node['$ref']}")
        return self._follow(node["$ref"], file, open_files)

    def _follow(self, ref: str, file: Path, open_files: tuple[Path, ...]) -> Any:
        if "#" in ref:
            raise BundleError(f"{file}: {ref} is not a relative file name")
        target = (file.parent / ref).resolve()
        if target in open_files:
            raise BundleError(f"{file}: {ref} leads back to itself; recursive files do not work")
        inner = (*open_files, target)
        if not target.is_relative_to(self.root / "components"):
            return self._walk(self._read(target, f"{file} ($ref: {ref})"), target, inner)
        kind, name = target.relative_to(self.root / "components").parts[0], target.stem
        first = self.origins.setdefault((kind, name), target)
        if first != target:
            raise BundleError(f"{first} and {target} both want to be {kind}/{name}: rename one")
        section = self.components.setdefault(kind, {})
        if name not in section:
            section[name] = self._walk(self._read(target, f"{file} ($ref: {ref})"), target, inner)
        return {"$ref": f"#/components/{kind}/{name}"}

    @staticmethod
    def _read(path: Path, wanted_by: str) -> Any:
        try:
            return yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, yaml.YAMLError) as error:
            raise BundleError(f"{wanted_by} asks for {path}: {error}") from error


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True

    def text(self, value: str) -> yaml.ScalarNode:
        style = "|" if "\n" in value else None
        return self.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _Dumper.text)


def render(root: Path) -> str:
    """The text of the bundle of the description in ``root``."""
    text: str = yaml.dump(
        Bundler(root).bundle(), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000
    )
    return text


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only tell whether it is stale")
    options = parser.parse_args(arguments)
    target = root / "bundle.yaml"
    try:
        text = render(root)
    except BundleError as error:
        print(f"bundle_openapi: {error}", file=sys.stderr)
        return 1
    if not options.check:
        target.write_text(text, encoding="utf-8")
    elif not target.exists() or target.read_text(encoding="utf-8") != text:
        print(f"{target} is stale: run python scripts/bundle_openapi.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
