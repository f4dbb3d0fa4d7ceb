"""What the documents name is there: files, links, tests, settings, error codes."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import yaml

from tests.docs.pages import PAGES, ROOT, anchors, links, name_of, prose, spans

DECISIONS = sorted((ROOT / "docs/adr").glob("[0-9]*.md"))
INDEX = ROOT / "docs/adr/README.md"
PATH = re.compile(r"(\./)?(\.?[\w-]+/)+[\w.-]*|[\w.-]+\.(md|cfg|toml|lock|example|py)")
TEST = re.compile(r"\btests/[\w/]+\.py(?:::\w+)*")
CAPITALS = re.compile(r"[A-Z]+(_[A-Z]+)+")
THREATS = ROOT / "docs/threats.md"
THREAT = re.compile(r"\b[ACFHIKLORTXZ]\d{1,2}\b(?=[:.,;)]|\Z)")
"""As docstrings name them: alone, in a list, or before what they say of it."""
ROW = re.compile(r"^\| ([A-Z]\d{1,2}) \|(?:[^|]*\|){2}([^|]*)\|$", re.MULTILINE)
PROOF = re.compile(r"((`tests/[\w/.:]+`) ?)+(; not yet: .+)?|not yet: .+")


def ids(pages: list[Path]) -> list[str]:
    return [name_of(page) for page in pages]


def made_later() -> set[str]:
    """What git ignores: it comes with the first run."""
    lines = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    return {line.strip("/") for line in lines if line.startswith("/")}


def paths_named_in(page: Path) -> set[str]:
    """Files, folders and scripts between backticks; not URLs, media types or made-up names."""
    words = (word for span in spans(page) for word in span.split())
    found = {word for word in words if PATH.fullmatch(word)} - {"application/json"}
    return {word for word in found if Path(word).parts[0] not in made_later()}


def settings() -> set[str]:
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    return set(re.findall(r"^([A-Z_]+)=", text, re.MULTILINE))


def error_codes() -> set[str]:
    schema = ROOT / "openapi/components/schemas/ErrorCode.yaml"
    return set(yaml.safe_load(schema.read_text(encoding="utf-8"))["enum"])


def known_to_scripts(name: str) -> bool:
    files = [
        *ROOT.glob("scripts/**/*"),
        *ROOT.glob("monitoring/**/*"),
        *ROOT.glob("tests/*.py"),
        ROOT / "api/config.py",
    ]
    plain = (file for file in files if file.is_file() and file.suffix != ".pyc")
    return any(name in file.read_text(encoding="utf-8") for file in plain)


@pytest.mark.parametrize("page", PAGES, ids=ids(PAGES))
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = []
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=ids(PAGES))
def test_every_path_exists(page: Path) -> None:
    assert {path for path in paths_named_in(page) if not (ROOT / path).exists()} == set()


@pytest.mark.parametrize("page", PAGES, ids=ids(PAGES))
def test_code_ends_on_its_line(page: Path) -> None:
    """Else what stands between backticks would be read wrongly, here and by some viewers."""
    assert [line for line in prose(page).splitlines() if line.count("`") % 2] == []


def test_paths_are_found_at_all() -> None:
    assert {"api/app.py", "openapi/", "./scripts/run"} <= paths_named_in(ROOT / "README.md")
    assert "setup.cfg" in paths_named_in(ROOT / "CONTRIBUTING.md")


@pytest.mark.parametrize("page", PAGES, ids=ids(PAGES))
def test_names_in_capitals_are_settings_or_error_codes(page: Path) -> None:
    words = {word.partition("=")[0] for span in spans(page) for word in span.split()}
    names = {word.removesuffix("_FILE") for word in words if CAPITALS.fullmatch(word)}
    strange = names - settings() - error_codes() - {"NAME"}

    assert {name for name in strange if not known_to_scripts(name)} == set()


@pytest.mark.parametrize("page", DECISIONS, ids=ids(DECISIONS))
def test_a_decision_names_the_tests_that_hold_it(page: Path) -> None:
    _, _, held_by = prose(page).partition("\n## Held by\n")

    assert TEST.findall(held_by)


@pytest.mark.parametrize("page", PAGES, ids=ids(PAGES))
def test_every_test_that_is_named_exists(page: Path) -> None:
    assert [name for name in TEST.findall(prose(page)) if not is_test(name)] == []


def is_test(name: str) -> bool:
    path, *inner = name.split("::")
    if not (ROOT / path).is_file():
        return False
    node: ast.AST = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    for step in inner:
        named = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        found = [n for n in ast.iter_child_nodes(node) if isinstance(n, named) and n.name == step]
        if not found:
            return False
        node = found[0]
    return True


@pytest.mark.parametrize("page", DECISIONS, ids=ids(DECISIONS))
def test_a_decision_has_the_parts_of_one_and_is_short(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)

    assert headings == ["Context", "Decision", "Consequences", "Held by"]
    assert text.startswith(f"# {page.name[:4]}. ")
    assert 30 <= len(text.splitlines()) <= 60


def test_the_index_lists_every_decision() -> None:
    assert links(INDEX) == [page.name for page in DECISIONS]


def test_the_page_on_lints_names_every_rule_that_is_off() -> None:
    text = (ROOT / ".spectral.yaml").read_text(encoding="utf-8")
    off = set(re.findall(r"^  owasp:api\d:2023-([\w-]+): off$", text, re.MULTILINE))
    [page] = [page for page in DECISIONS if "lint" in page.name]

    assert off == set(re.findall(r"^\| `([\w-]+)`", prose(page), re.MULTILINE))


def test_every_threat_has_one_row_with_a_test_or_a_reason() -> None:
    rows = ROW.findall(prose(THREATS))
    lines = [line for line in prose(THREATS).splitlines() if re.match(r"\| [A-Z]\d", line)]

    assert len({name for name, _ in rows}) == len(rows) == len(lines) > 0
    assert [name for name, proof in rows if not PROOF.fullmatch(proof.strip())] == []


def test_every_test_in_the_table_of_threats_exists() -> None:
    named = re.findall(r"`(tests/[^`]+\.py[^`]*)`", prose(THREATS))

    assert named
    assert [name for name in named if not TEST.fullmatch(name) or not is_test(name)] == []


def test_every_threat_that_a_test_names_is_in_the_table() -> None:
    defined = {name for name, _ in ROW.findall(prose(THREATS))}
    named = {
        (name_of(file), name)
        for file in ROOT.glob("tests/**/*.py")
        for text in docstrings(file)
        for name in THREAT.findall(text)
    }

    assert named
    assert {(file, name) for file, name in named if name not in defined} == set()


def docstrings(file: Path) -> list[str]:
    """Of modules, classes, functions and, beneath them, of constants."""
    nodes = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
    values = (node.value for node in nodes if isinstance(node, ast.Expr))
    return [v.value for v in values if isinstance(v, ast.Constant) and isinstance(v.value, str)]
