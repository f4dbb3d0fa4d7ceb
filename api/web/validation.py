"""Requests against the contract's schemas: every fault at once, by field, without what was sent.

Connexion's own validators report the first fault with the refused value in it, and accept loose
integers and repeated parameters. These take their places in its ``validator_map``; the schemas are
compiled once by jsonschema-rs, whose patterns have ECMA-262's meaning of ``$``.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Container, Iterable, Iterator
from typing import Any
from urllib.parse import parse_qsl

from jsonschema_rs import Draft4Validator, ValidationError
from starlette.datastructures import Headers
from starlette.types import Receive, Scope

from api.errors import InvalidInput
from api.web import context
from api.web.contract import Contract, Json, Operation

INTEGER = re.compile(r"-?[0-9]{1,19}")
PRINTABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,39}")
BOOLEANS = {"true": True, "false": False}

MESSAGES = {
    "required": "is required",
    "minLength": "must have at least {limit} characters",
    "maxLength": "must have at most {limit} characters",
    "minimum": "must be at least {limit}",
    "maximum": "must be at most {limit}",
    "minItems": "must have at least {limit} items",
    "maxItems": "must have at most {limit} items",
    "minProperties": "must have at least {limit} keys",
    "pattern": "has a form that is not allowed",
    "format": "has a form that is not allowed",
    "not": "is reserved",
    "enum": "is not one of the allowed values",
}
ARTICLES = {"integer": "an integer", "array": "an array", "object": "an object", "null": "null"}

Faults = dict[str, str]
Place = tuple[str, str]
"""Where a parameter is (query, path, header) and its name."""


class Schemas:
    """The compiled request schemas of every operation."""

    def __init__(self, contract: Contract) -> None:
        components = _without_nullable(contract.document["components"])
        self._bodies = {
            operation.id: _compile(operation.body, components)
            for operation in contract.operations.values()
            if operation.body is not None
        }
        self._parameters = {
            operation.id: {
                (parameter["in"], parameter["name"]): _Parameter(parameter, components)
                for parameter in operation.parameters
            }
            for operation in contract.operations.values()
        }

    def check_body(self, operation: Operation, body: Any) -> None:
        """Raises ``InvalidInput`` naming every fault."""
        if body is context.NO_BODY:
            raise InvalidInput({"body": "is required"})
        if faults := _faults(self._bodies[operation.id].iter_errors(body)):
            raise InvalidInput(faults)

    def check_parameters(self, operation: Operation, scope: Scope) -> dict[str, Any]:
        """Query, path and header. Raises ``InvalidInput`` naming every fault.

        Returns what path and query gave, in the types that the contract names.
        """
        known = self._parameters[operation.id]
        headers = Headers(scope=scope)
        given: dict[Place, str] = {
            ("path", name): value for name, value in scope.get("path_params", {}).items()
        }
        given |= {
            (place, name): headers[name]
            for place, name in known
            if place == "header" and name in headers
        }
        faults = _read_query(scope["query_string"], known, given)
        values = {place: known[place].read(text) for place, text in given.items() if place in known}
        for place, parameter in known.items():
            faults |= parameter.faults(values.get(place))
        if faults:
            raise InvalidInput(faults)
        return {name: value for (kind, name), value in values.items() if kind != "header"}


def _read_query(query: bytes, known: Container[Place], given: dict[Place, str]) -> Faults:
    """Add what the query string has to *given*; the faults are names nobody knows or repeats."""
    faults: Faults = {}
    for name, value in parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="strict"):
        place = ("query", name)
        if place not in known:
            faults[_shown(name)] = "is not known here"
        elif place in given:
            faults[name] = "is given more than once"
        given[place] = value
    return faults


class _Parameter:
    def __init__(self, parameter: Json, components: Json) -> None:
        self.name = parameter["name"]
        self.required = parameter.get("required", False)
        self.type = parameter["schema"].get("type")
        if self.type not in ("string", "integer", "boolean"):
            raise TypeError(f"parameter {self.name}: type {self.type} is not built")
        self._validator = _compile(parameter["schema"], components)

    def read(self, text: str) -> Any:
        """The value in the type of the contract, or the text itself where it has none such."""
        if self.type == "integer":
            return int(text) if INTEGER.fullmatch(text) else text
        return BOOLEANS.get(text, text) if self.type == "boolean" else text

    def faults(self, value: Any) -> Faults:
        """*value*: none where nothing was given."""
        if value is None:
            return {self.name: "is required"} if self.required else {}
        if self._validator.is_valid(value):
            return {}
        faults = _faults(self._validator.iter_errors(value))
        return {self.name: next(iter(faults.values()))}


class ParameterValidator:
    """Connexion's seam for parameters: made for each request, asked once."""

    schemas: Schemas

    def __init__(self, *_: Any, **__: Any) -> None:
        """Nothing that Connexion passes is needed: the schemas were compiled at start-up."""

    def validate(self, scope: Scope) -> None:
        self.schemas.check_parameters(context.operation(), scope)


class BodyValidator:
    """Connexion's seam for JSON bodies; the guard has parsed the body already."""

    schemas: Schemas

    def __init__(self, *_: Any, **__: Any) -> None:
        """Nothing that Connexion passes is needed: the schemas were compiled at start-up."""

    async def wrap_receive(self, receive: Receive, *, scope: Scope) -> tuple[Receive, Scope]:
        self.schemas.check_body(context.operation(), context.current().body)
        return receive, scope


def validator_map(schemas: Schemas) -> dict[str, Any]:
    """What ``FlaskApp.add_api`` takes as ``validator_map``."""
    return {
        "parameter": type("Parameters", (ParameterValidator,), {"schemas": schemas}),
        "body": {"application/json": type("Body", (BodyValidator,), {"schemas": schemas})},
    }


def _compile(schema: Json, components: Json) -> Draft4Validator:
    plain = _without_nullable(schema)
    return Draft4Validator(
        {"allOf": [plain], "components": _referred(plain, components)}, validate_formats=True
    )


def _referred(schema: Json, components: Json) -> Json:
    """Only what the schema names, and what that names: each validator keeps a copy of all that it is given."""
    found: dict[str, Json] = {}
    waiting = [schema]
    while waiting:
        for kind, name in _references(waiting.pop()):
            if name not in (known := found.setdefault(kind, {})):
                known[name] = components[kind][name]
                waiting.append(known[name])
    return found


def _references(node: Any) -> Iterator[tuple[str, str]]:
    """Kind and name of every component that is named in it."""
    if isinstance(node, dict):
        if isinstance(reference := node.get("$ref"), str):
            kind, name = reference.removeprefix("#/components/").split("/")
            yield kind, name
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from _references(child)


def _without_nullable(node: Any) -> Any:
    """OpenAPI 3.0's ``nullable`` in the words of JSON Schema."""
    if isinstance(node, list):
        return [_without_nullable(child) for child in node]
    if not isinstance(node, dict):
        return copy.copy(node)
    plain = {key: _without_nullable(child) for key, child in node.items() if key != "nullable"}
    if node.get("nullable") is True and "type" in plain:
        plain["type"] = [plain["type"], "null"]
        if "enum" in plain:
            plain["enum"] = [*plain["enum"], None]
    return plain


def _faults(errors: Iterable[ValidationError]) -> Faults:
    """By field; where one breaks several rules, a rule that can be read counts before a pattern."""
    readable_last = sorted(errors, key=lambda error: error.kind.name != "pattern")
    return dict(fault for error in readable_last for fault in _told(error))


def _told(error: ValidationError) -> Iterator[tuple[str, str]]:
    name, kind = error.kind.name, error.kind.as_dict()
    path = [str(step) for step in error.instance_path]
    if name == "additionalProperties":
        for key in kind["unexpected"]:
            yield ".".join([*path, _shown(key)]), "is not known here"
    else:
        missing = [kind["property"]] if name == "required" else []
        yield ".".join([*path, *missing]) or "body", _message(name, kind)


def _message(name: str, kind: dict[str, Any]) -> str:
    if name == "type":
        return "must be " + " or ".join(ARTICLES.get(t, f"a {t}") for t in kind["types"])
    return MESSAGES.get(name, "is not allowed").format(limit=kind.get("limit"))


def _shown(name: str) -> str:
    """A name that a client made up is repeated only when it looks like one."""
    return name if PRINTABLE_NAME.fullmatch(name) else "(another key)"
