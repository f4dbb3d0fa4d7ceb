"""The published contract is whole, fresh, closed, bounded and explained."""

from __future__ import annotations

import configparser
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from scripts.bundle_openapi import ROOT, Bundler, main, render

BUNDLE: dict[str, Any] = yaml.safe_load((ROOT / "bundle.yaml").read_text(encoding="utf-8"))
METHODS = ("get", "put", "post", "patch", "delete")
CONFLICTS = {
    "sign_up",
    "update_me",
    "delete_me",
    "refresh_session",
    "update_user",
    "delete_user",
    "block_user",
    "change_role",
    "create_api_key",
}
FOR_SOME = {
    "update_post",
    "delete_post",
    "update_comment",
    "delete_comment",
    "update_user",
    "delete_user",
}
"""What not everybody may do to a thing that they may know of."""
VERSIONED = FOR_SOME | {"update_me", "delete_me"}
"""What somebody else may have changed meanwhile."""
TAGGED = {
    *("create_post", "create_comment", "update_post", "update_comment", "update_user", "update_me"),
    *("get_openapi_json", "get_openapi_yaml"),
}
"""Whose answer has an ``ETag``, beside all that the API is asked for."""
ANSWERED_AT_TIMES = {
    "Failure": {"stack"},
    "AuditDetails": {"event", "reason", "from", "to", "role", "failures", "fields", "scopes"},
    "User": {"email", "role", "status", "updated_at"},
}
"""Keys that an answer may lack, by schema."""
OF_NO_OPERATION = {"METHOD_NOT_ALLOWED"}
"""Methods that are not described: OpenAPI has no place for them but the description of the whole."""
ROOT_STATUSES = {
    "get_health": {"200", "400"},
    "get_readiness": {"200", "400", "503"},
    "get_openapi_json": {"200", "304", "400", "406"},
    "get_openapi_yaml": {"200", "304", "400", "406"},
    "get_docs": {"200", "400", "406"},
    "get_redoc": {"200", "400", "406"},
}
COUNTED = {
    "RateLimit-Policy",
    "RateLimit",
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
}


def has_cursor(operation: dict[str, Any]) -> bool:
    names = [resolve(parameter)["name"] for parameter in operation.get("parameters", [])]
    assert ("cursor" in names) == ("page" in names), "every list can be walked through"
    return "cursor" in names


def resolve(node: Any) -> Any:
    while isinstance(node, dict) and "$ref" in node:
        target: Any = BUNDLE
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        node = target
    return node


def operations() -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    for item in BUNDLE["paths"].values():
        for method in METHODS:
            if method in item:
                yield item[method]["operationId"], item[method], item


OPERATIONS = [pytest.param(operation, item, id=name) for name, operation, item in operations()]
ANSWERS = [
    pytest.param(operation, item, status, resolve(answer), id=f"{name}-{status}")
    for name, operation, item in operations()
    for status, answer in operation["responses"].items()
]
every_operation = pytest.mark.parametrize(("operation", "item"), OPERATIONS)
every_answer = pytest.mark.parametrize(("operation", "item", "status", "answer"), ANSWERS)


def nodes(node: Any = BUNDLE, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every mapping of the bundle but those inside examples, with its JSON path."""
    if isinstance(node, list):
        for number, child in enumerate(node):
            yield from nodes(child, f"{path}/{number}")
    elif isinstance(node, dict):
        yield path, node
        for key, child in node.items():
            if not (key in {"examples", "example"} and path.rpartition("/")[2] != "properties"):
                yield from nodes(child, f"{path}/{key}")


SCHEMAS = [
    pytest.param(path, node, id=path)
    for path, node in nodes()
    if isinstance(node.get("type"), str) and "securitySchemes" not in path
]
PATTERNS = sorted({node["pattern"] for _, node in nodes() if isinstance(node.get("pattern"), str)})


def without_nullable(node: Any) -> Any:
    """OpenAPI's ``nullable`` in the words of JSON Schema."""
    if isinstance(node, list):
        return [without_nullable(child) for child in node]
    if not isinstance(node, dict):
        return node
    schema = {key: without_nullable(value) for key, value in node.items() if key != "nullable"}
    return {"anyOf": [schema, {"type": "null"}]} if node.get("nullable") is True else schema


COMPONENTS = {"schemas": without_nullable(BUNDLE["components"]["schemas"])}


def is_valid(schema: dict[str, Any], value: Any) -> bool:
    whole = {"allOf": [without_nullable(schema)], "components": COMPONENTS}
    return jsonschema_rs.Draft4Validator(whole).is_valid(value)


def media(holder: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from holder.get("content", {}).items()


# --- the bundle and its parts


def test_the_committed_bundle_is_fresh() -> None:
    assert main(["--check"]) == 0


def test_the_version_is_that_of_the_package() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT.parent / "setup.cfg", encoding="utf-8")
    assert BUNDLE["info"]["version"] == setup["metadata"]["version"]


def test_every_part_is_used() -> None:
    bundler = Bundler(ROOT)
    bundler.bundle()
    assert set((ROOT / "components").rglob("*.yaml")) <= set(bundler.origins.values())
    index = (ROOT / "openapi.yaml").read_text(encoding="utf-8")
    assert all(str(file.relative_to(ROOT)) in index for file in (ROOT / "paths").rglob("*.yaml"))


def test_every_reference_leads_to_something_inside() -> None:
    references = [node["$ref"] for _, node in nodes() if "$ref" in node]
    assert references
    assert all(reference.startswith("#/components/") for reference in references)
    assert all(resolve({"$ref": reference}) for reference in references)


def test_nothing_in_it_is_a_template() -> None:
    """A known trap: Connexion renders the description by Jinja2."""
    assert not re.search(r"\{\{|\{%", (ROOT / "bundle.yaml").read_text(encoding="utf-8"))


def a_description(root: Path, **files: str) -> Path:
    for name, text in {"openapi": "paths: {/a: {$ref: paths/a.yaml}}", **files}.items():
        target = root / f"{name.replace('__', '/')}.yaml"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    return root


def test_a_stale_bundle_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = a_description(tmp_path, paths__a="get: {summary: 마당}")
    assert main(["--check"], root) == 1
    assert main([], root) == 0
    assert main(["--check"], root) == 0
    a_description(tmp_path, paths__a="get: {summary: yard}")
    assert main(["--check"], root) == 1
    assert "run python scripts/bundle_openapi.py" in capsys.readouterr().err


def test_the_same_parts_make_the_same_readable_text(tmp_path: Path) -> None:
    shared = "{$ref: ../components/schemas/Yard.yaml}"
    root = a_description(
        tmp_path,
        paths__a=f"get: {shared}\nput: {shared}",
        components__schemas__Yard="{description: 마당}",
    )
    assert render(root) == render(root)
    assert "description: 마당" in render(root)
    assert render(root).count("마당") == 1


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        pytest.param({}, "a.yaml", id="missing"),
        pytest.param({"paths__a": "get: {"}, "while parsing", id="not YAML"),
        pytest.param(
            {"paths__a": "{$ref: '#/components/schemas/A'}"}, "not a relative file", id="local"
        ),
        pytest.param(
            {"paths__a": "{$ref: ../x.yaml, summary: x}", "x": "{}"}, "beside $ref", id="sibling"
        ),
        pytest.param(
            {
                "paths__a": "{$ref: ../components/schemas/A.yaml}",
                "components__schemas__A": "{items: {$ref: A.yaml}}",
            },
            "leads back to itself",
            id="recursive",
        ),
        pytest.param(
            {
                "paths__a": "[{$ref: ../components/schemas/x/A.yaml}, "
                "{$ref: ../components/schemas/y/A.yaml}]",
                "components__schemas__x__A": "{}",
                "components__schemas__y__A": "{}",
            },
            "both want to be schemas/A",
            id="same name",
        ),
    ],
)
def test_parts_that_do_not_fit_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], files: dict[str, str], complaint: str
) -> None:
    assert main([], a_description(tmp_path, **files)) == 1
    assert complaint in capsys.readouterr().err
    assert not (tmp_path / "bundle.yaml").exists()


# --- operations and their answers


def test_operation_ids_are_clean_and_unique() -> None:
    names = [name for name, _, _ in operations()]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)+", name) for name in names)


@every_operation
def test_an_operation_says_what_it_does(operation: dict[str, Any], item: dict[str, Any]) -> None:
    assert operation["summary"].strip()
    assert len(operation["description"]) > len(operation["summary"])
    assert [operation["tags"][0]] == operation["tags"]
    assert operation["tags"][0] in {tag["name"] for tag in BUNDLE["tags"]}
    for parameter in [*operation.get("parameters", []), *item.get("parameters", [])]:
        assert resolve(parameter)["description"]
        assert "example" in resolve(parameter)


@every_operation
def test_an_operation_documents_what_it_can_answer(
    operation: dict[str, Any], item: dict[str, Any]
) -> None:
    documented = set(operation["responses"])
    name = operation["operationId"]
    if "servers" in item:
        assert documented == ROOT_STATUSES[name]
        return
    success = {status for status in documented if status.startswith("2")}
    assert len(success) == 1
    expected = success | {"400", "401", "406", "429", "500", "503"}
    expected |= {"413", "415"} if "requestBody" in operation else set()
    expected |= {"403"} if operation.get("security") == [{"refreshCookie": []}] else set()
    expected |= {"403"} if name in FOR_SOME or operation["x-policy"].get("scope") else set()
    expected |= {"403"} if operation["x-policy"]["role"] == "admin" else set()
    expected |= {"404"} if item.get("parameters") or has_cursor(operation) else set()
    expected |= {"409"} if name in CONFLICTS else set()
    expected |= {"412"} if name in VERSIONED else set()
    expected |= {"409", "422"} if operation["x-policy"].get("idempotent") else set()
    expected |= {"304"} if is_read(operation, item) else set()
    assert documented == expected


def is_read(operation: dict[str, Any], item: dict[str, Any]) -> bool:
    """What each question changes has no tag."""
    is_limits = operation["operationId"] == "get_limits"
    return "servers" not in item and item.get("get") == operation and not is_limits


@every_answer
def test_an_answer_names_the_headers_that_it_always_has(
    operation: dict[str, Any], item: dict[str, Any], status: str, answer: dict[str, Any]
) -> None:
    headers = {name: resolve(header) for name, header in answer["headers"].items()}
    required = {name for name, header in headers.items() if header["required"]}
    good = status[0] == "2"
    at_times = {"traceparent"}
    at_times |= {"Link"} if good and operation["operationId"].startswith("list_") else set()
    at_times |= (
        {"Idempotency-Replayed"} if good and operation["x-policy"].get("idempotent") else set()
    )
    at_times |= {"Set-Cookie"} if good and operation["operationId"] == "delete_user" else set()
    assert {"X-Request-ID", "Cache-Control"} <= required
    if operation["operationId"] == "create_api_key" and status == "409":
        at_times |= {"Retry-After"}
    in_progress = (
        status == "409"
        and "Retry-After" not in at_times
        and operation["x-policy"].get("idempotent", False)
    )
    assert ("Retry-After" in required) == (status in {"429", "503"} or in_progress)
    assert ("WWW-Authenticate" in required) == (status == "401")
    counted = "servers" not in item and status[0] in "234"
    assert set(headers) - required == at_times
    assert required & COUNTED == (COUNTED if counted else set())
    tagged = operation["operationId"] in TAGGED or is_read(operation, item)
    assert ("ETag" in required) == (tagged and status[0] in "23")
    sets_cookie = operation["operationId"] in {"log_in", "refresh_session", "log_out", "delete_me"}
    assert ("Set-Cookie" in required) == (sets_cookie and good)


@every_answer
def test_an_answer_has_a_body_unless_its_status_forbids_one(
    operation: dict[str, Any], item: dict[str, Any], status: str, answer: dict[str, Any]
) -> None:
    kinds = {kind for kind, _ in media(answer)}
    if status in {"204", "304"}:
        assert not kinds
    elif "servers" in item and status == "200":
        assert len(kinds) == 1
    else:
        assert kinds == {"application/json"}
    if status[0] in "45":
        assert answer["content"]["application/json"]["schema"] == {
            "$ref": "#/components/schemas/Error"
        }


# --- examples


@every_answer
def test_examples_of_an_answer_follow_its_schema(
    operation: dict[str, Any], item: dict[str, Any], status: str, answer: dict[str, Any]
) -> None:
    for _, body in media(answer):
        assert body["examples"]
        for example in body["examples"].values():
            assert resolve(example)["summary"]
            assert is_valid(body["schema"], resolve(example)["value"])


@every_answer
def test_examples_of_a_failure_have_a_code_of_its_status(
    operation: dict[str, Any], item: dict[str, Any], status: str, answer: dict[str, Any]
) -> None:
    if status[0] in "45":
        for example in answer["content"]["application/json"]["examples"].values():
            assert error_codes()[resolve(example)["value"]["error"]["code"]] == status


@every_operation
def test_examples_of_a_request_follow_its_schema(
    operation: dict[str, Any], item: dict[str, Any]
) -> None:
    for _, body in media(operation.get("requestBody", {})):
        assert body["examples"]
        assert all(
            is_valid(body["schema"], resolve(example)["value"])
            for example in body["examples"].values()
        )


@pytest.mark.parametrize(
    ("path", "node"),
    [pytest.param(path, node, id=path) for path, node in nodes() if "example" in node],
)
def test_an_example_beside_a_schema_follows_it(path: str, node: dict[str, Any]) -> None:
    assert is_valid(node.get("schema", node), node["example"])


def error_codes() -> dict[str, str]:
    """Code to status."""
    table = BUNDLE["components"]["schemas"]["ErrorCode"]["x-errors"]
    return {code: str(entry["status"]) for code, entry in table.items()}


def test_every_error_code_is_explained() -> None:
    assert list(error_codes()) == BUNDLE["components"]["schemas"]["ErrorCode"]["enum"]


def test_every_error_code_is_answered_by_some_operation() -> None:
    answered = {
        resolve(example)["value"]["error"]["code"]
        for _, operation, _ in operations()
        for status, answer in operation["responses"].items()
        if status[0] in "45"
        for _, body in media(resolve(answer))
        for example in body["examples"].values()
    }

    assert answered == error_codes().keys() - OF_NO_OPERATION
    assert all(f"answer 405 {code}" in BUNDLE["info"]["description"] for code in OF_NO_OPERATION)


# --- schemas


@pytest.mark.parametrize(("path", "node"), SCHEMAS)
def test_a_schema_is_closed_and_bounded(path: str, node: dict[str, Any]) -> None:
    match node["type"]:
        case "object" if "properties" in node:
            assert node["additionalProperties"] is False
        case "object" if "additionalProperties" in node:
            assert node["maxProperties"]
        case "object":
            assert "/OpenApiDocument/" in path, "only OpenAPI itself says what is inside"
        case "string":
            assert "enum" in node or "maxLength" in node
            assert all(isinstance(value, str) for value in node.get("enum", []))
            assert all(isinstance(value, str) for value in node.get("not", {}).get("enum", []))
        case "integer":
            assert {"format", "minimum", "maximum"} <= node.keys()
        case "array":
            assert "maxItems" in node
        case other:
            assert other == "boolean"


@pytest.mark.parametrize("name", sorted(BUNDLE["components"]["schemas"]))
def test_an_answer_object_has_all_its_keys(name: str) -> None:
    requests = {"LogIn", "AccountPatch", "PostCreate", "PostPatch", "CommentCreate", "CommentPatch"}
    requests |= {"ApiKeyCreate"}
    optional: set[str] = set()
    for _, node in nodes(BUNDLE["components"]["schemas"][name]):
        if node.get("type") == "object" and "properties" in node and name not in requests:
            optional |= set(node["properties"]) - set(node.get("required", []))
    assert optional == ANSWERED_AT_TIMES.get(name, set())


ACCOUNT: dict[str, Any] = BUNDLE["components"]["examples"]["Account"]["value"]["data"]


def rejects(schema: str, value: Any) -> bool:
    return not is_valid({"$ref": f"#/components/schemas/{schema}"}, value)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ("NewUsername", "alice\n"),
        ("NewUsername", "admin"),
        ("NewUsername", "null"),
        ("NewUsername", "al"),
        ("NewUsername", "Alice"),
        ("NewUsername", "\u212aelvin"),
        ("Email", "a@b.co\n"),
        ("Email", "a b@c.co"),
        ("Email", "a@b@c.co"),
        ("Email", "a@localhost"),
        ("Email", "하나@example.com"),
        ("Password", "with a \0 in it"),
        ("Password", "seven77"),
        ("Title", " \t\n"),
        ("Title", "a\0"),
        ("Title", "x" * 201),
        ("Body", ""),
        ("Bio", "\0"),
        ("Id", "0197F2C0-4E1A-7C3B-9D52-6F1E8A0B4C7D"),
        ("Timestamp", "2026-01-05T09:12:44Z"),
        ("AccountPatch", {"username": None}),
        ("AccountPatch", {"role": "admin"}),
        ("PostCreate", {"title": "x", "body": "y", "id": "z"}),
        ("PostPatch", {"title": None}),
        ("PostPatch", {"body": " "}),
        ("PostPatch", {"is_published": 1}),
        ("PostPatch", {"published_at": "2026-01-05T09:12:44.120394Z"}),
        ("CommentBody", " \t\n"),
        ("CommentBody", "a\0"),
        ("CommentBody", "x" * 5001),
        ("CommentCreate", {}),
        ("CommentCreate", {"body": "x", "author": None}),
        ("CommentPatch", {}),
        ("CommentPatch", {"body": None}),
        ("Profile", ACCOUNT),
        ("User", ACCOUNT | {"password_hash": "x"}),
    ],
)
def test_a_value_that_breaks_a_rule_is_refused(schema: str, value: Any) -> None:
    assert rejects(schema, value)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ("NewUsername", "a_1"),
        ("Email", "o'brien+news@mail.example.co.kr"),
        ("Password", "비밀번호는 길수록 좋다 🌱"),
        ("Title", "\u3000마당"),
        ("Title", "🌱" * 200),
        ("Body", "a\nb"),
        ("Bio", None),
        ("Bio", ""),
        ("AccountPatch", {}),
        ("PostPatch", {}),
        ("PostPatch", {"is_published": False}),
        ("CommentBody", "🌱" * 5000),
        ("Commenter", None),
        ("User", ACCOUNT),
    ],
)
def test_a_value_at_the_edge_of_a_rule_is_taken(schema: str, value: Any) -> None:
    assert not rejects(schema, value)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_answers_long_input_at_once(pattern: str) -> None:
    """In Python's backtracking engine, which clients may use; ours is linear."""
    compiled = re.compile(pattern)
    jsonschema_rs.Draft4Validator({"pattern": pattern})
    size = 50_000
    for text in ("a", "a.", " ", "\0", "/", "a-", '"a";q=1;w=1, ', "1"):
        for start in ("", "a@", "</", "Bearer ", '"', "refresh_token="):
            for end in ("", "\0", "-", "\n"):
                began = time.process_time()
                compiled.search(start + text * (size // len(text)) + end)
                assert time.process_time() - began < 0.1
