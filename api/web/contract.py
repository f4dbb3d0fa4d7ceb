"""The published contract as the running service reads it: routes, policies, limits.

Connexion routes and validates by the same document. This index exists beside it because half of
the answers (404, 405, 401, 413, 429) are given before Connexion, and they depend on the operation.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from api.web.deprecation import Deprecation

BUNDLE = Path(__file__).resolve().parents[2] / "openapi" / "bundle.yaml"
METHODS = ("get", "post", "put", "patch", "delete")
SEGMENT = r"[^/\n]+"
"""No newline: Connexion's router does not see such a path, and hands it to Flask unvalidated."""
ROLES = ("anyone", "user", "moderator", "admin")

Json = dict[str, Any]


class ContractError(Exception):
    """The contract cannot be served as it stands."""


@dataclass(frozen=True, slots=True)
class Policy:
    role: str
    scope: str | None = None
    """What an API key must be allowed to do; without it none opens the operation."""
    rate_limit: tuple[str, ...] = ()
    hashes_password: bool = False
    idempotent: bool = False
    """Whether ``Idempotency-Key`` makes repeating safe."""
    cache: int = 0
    """Seconds that a public answer may be kept."""


@dataclass(frozen=True, slots=True)
class Operation:
    id: str
    tag: str
    method: str
    """Upper case."""
    path: str
    """The full template, such as ``/api/v1/posts/{post_id}``."""
    pattern: re.Pattern[str]
    """What such a path looks like, with a group for each parameter."""
    policy: Policy
    parameters: tuple[Json, ...]
    body: Json | None
    """The schema of the JSON body, if the operation takes one."""
    offers: tuple[str, ...]
    """The media types of its good answers; JSON where they have no body, since refusals have one.

    None where any ``Accept`` will do.
    """
    needs_login: bool
    is_root: bool
    """Answered by the ASGI part alone: probes, documents."""
    deprecation: Deprecation | None


Route = dict[str, Operation]
"""The operations of one path by their method."""


class Contract:
    def __init__(self, document: Json) -> None:
        self.document = document
        self.base_path: str = document["servers"][0]["url"].rstrip("/")
        self.rate_limits: dict[str, Json] = document["x-rate-limits"]
        self._exact: dict[str, Route] = {}
        self._templates: dict[int, list[tuple[re.Pattern[str], Route]]] = defaultdict(list)
        self.operations: dict[str, Operation] = {}
        for path, item in document["paths"].items():
            self._add(path, item)

    @classmethod
    def load(cls, path: Path = BUNDLE) -> Contract:
        return cls(read(path))

    def match(self, path: str) -> Route | None:
        """The operations at exactly this path: no case folding, no slashes added or removed."""
        if route := self._exact.get(path):
            return route
        for pattern, route in self._templates.get(path.count("/"), ()):
            if pattern.fullmatch(path):
                return route
        return None

    def for_connexion(self) -> Json:
        """The part that Connexion serves: everything below the base path."""
        paths = {p: item for p, item in self.document["paths"].items() if "servers" not in item}
        return {**self.document, "paths": paths}

    def resolve(self, node: Json) -> Json:
        """Follow a ``$ref`` within the document."""
        while ref := node.get("$ref"):
            target: Any = self.document
            for key in ref.removeprefix("#/").split("/"):
                target = target[key]
            node = target
        return node

    def _add(self, path: str, item: Json) -> None:
        is_root = "servers" in item
        full = path if is_root else self.base_path + path
        route = {
            method.upper(): self._operation(full, method, item, is_root=is_root)
            for method in METHODS
            if method in item
        }
        self.operations |= {operation.id: operation for operation in route.values()}
        if "{" in full:
            self._templates[full.count("/")].append((_pattern(full), route))
        else:
            self._exact[full] = route

    def _operation(self, path: str, method: str, item: Json, *, is_root: bool) -> Operation:
        spec = item[method]
        body = self.resolve(spec.get("requestBody", {}))
        security = spec.get("security", self.document["security"])
        parameters = [*item.get("parameters", []), *spec.get("parameters", [])]
        return Operation(
            id=spec["operationId"],
            tag=spec["tags"][0],
            method=method.upper(),
            path=path,
            pattern=_pattern(path),
            policy=self._policy(spec),
            parameters=tuple(self._parameter(parameter) for parameter in parameters),
            body=body["content"]["application/json"]["schema"] if body else None,
            offers=self._offers(spec["responses"]),
            needs_login={"bearerAuth": []} in security and {} not in security,
            is_root=is_root,
            deprecation=self._deprecation(spec),
        )

    def _offers(self, responses: Json) -> tuple[str, ...]:
        if "406" not in responses:
            return ()
        good = [self.resolve(answer) for status, answer in responses.items() if status[0] == "2"]
        found = {media_type: None for answer in good for media_type in answer.get("content", {})}
        return tuple(found) or ("application/json",)

    def _parameter(self, node: Json) -> Json:
        parameter = self.resolve(node)
        return {**parameter, "schema": self.resolve(parameter["schema"])}

    def _policy(self, spec: Json) -> Policy:
        """Raises ``ContractError`` when an operation says nothing: nothing is open by accident."""
        policy = spec.get("x-policy")
        names = tuple((policy or {}).get("rate_limit", ()))
        if not policy or policy.get("role") not in ROLES:
            raise ContractError(f"{spec['operationId']} needs an x-policy with a role of {ROLES}")
        if unknown := [name for name in names if name not in self.rate_limits]:
            raise ContractError(f"{spec['operationId']} names unknown rate limits: {unknown}")
        hashes = bool(policy.get("hashes_password"))
        idempotent = bool(policy.get("idempotent"))
        return Policy(
            role=policy["role"],
            scope=policy.get("scope"),
            rate_limit=names,
            hashes_password=hashes,
            idempotent=idempotent,
            cache=policy.get("cache", 0),
        )

    @staticmethod
    def _deprecation(spec: Json) -> Deprecation | None:
        try:
            return Deprecation.of(spec)
        except ValueError as err:
            raise ContractError(f"{spec['operationId']} {err}") from err


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{(\w+)\\\}", rf"(?P<\1>{SEGMENT})", re.escape(path)))


def read(path: Path) -> Json:
    document: Json = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)  # noqa: S506 - a safe one  # nosec B506
    return document


_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
