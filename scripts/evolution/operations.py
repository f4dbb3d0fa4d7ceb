"""Compares two bundles: what a program that works by the old one may stumble over by the new one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import cache
from typing import Any

from api.web.contract import METHODS, ROLES
from api.web.deprecation import NOTICE, Deprecation
from scripts.evolution.schemas import narrowed

Json = dict[str, Any]
Found = Iterator[str]

SAID = ("name", "in", "required", "schema", "description", "example", "examples", "deprecated")
"""What else a parameter has: judged, or for people."""


def breaking(old: Json, new: Json, today: datetime) -> list[str]:
    """A sentence for each break, in the order of the old bundle.

    *today* is when *new* would be released: what it deprecates has to last from then on.
    """
    old, new = _without_references(old), _without_references(new)
    return [
        *_limits(old["x-rate-limits"], new["x-rate-limits"]),
        *_codes(*(document["components"]["schemas"]["ErrorCode"] for document in (old, new))),
        *_operations(old, new, today),
    ]


def _without_references(document: Json) -> Json:
    """Each ``$ref`` in place: what a name stands for counts, not the name. Bundles do not recurse."""

    @cache
    def follow(reference: str) -> Any:
        target: Any = document
        for key in reference.removeprefix("#/").split("/"):
            target = target[key]
        return walk(target)

    def walk(node: Any) -> Any:
        if isinstance(node, list):
            return [walk(child) for child in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            return follow(node["$ref"])
        return {key: walk(child) for key, child in node.items()}

    whole: Json = walk(document)
    return whole


def _limits(old: Json, new: Json) -> Found:
    for name in old.keys() & new.keys():
        was, is_ = old[name], new[name]
        if is_["limit"] < was["limit"]:
            yield f"rate limit {name}: allows less at once"
        elif is_["limit"] * was["window"] < was["limit"] * is_["window"]:
            yield f"rate limit {name}: allows less over time"
        if (is_["by"], is_["when"]) != (was["by"], was["when"]):
            yield f"rate limit {name}: counts others"


def _codes(old: Json, new: Json) -> Found:
    for code, was in old["x-errors"].items():
        if not (is_ := new["x-errors"].get(code)):
            yield f"error {code} is gone"
        elif was["status"] != is_["status"]:
            yield f"error {code} has the status {is_['status']}"


def _operations(old: Json, new: Json, today: datetime) -> Found:
    after = dict(_by_place(new))
    for place, was in _by_place(old):
        if place not in after:
            yield f"{was['operationId']}: {place} is gone"
            continue
        is_ = after[place]
        found = [*_identity(was, is_), *_notice(was, is_, today), *_access(was, is_, old, new)]
        found += [*_request(was, is_), *_answers(was["responses"], is_["responses"])]
        yield from (f"{was['operationId']}: {text}" for text in found)


def _by_place(document: Json) -> Iterator[tuple[str, Json]]:
    """Operations by method and full path, with the parameters of their path."""
    for path, item in document["paths"].items():
        base = item.get("servers", document["servers"])[0]["url"].rstrip("/")
        for method in METHODS:
            if spec := item.get(method):
                shared = [*item.get("parameters", []), *spec.get("parameters", [])]
                security = spec.get("security", document["security"])
                whole = {**spec, "parameters": shared, "security": security}
                yield f"{method.upper()} {base}{path}", whole


def _identity(old: Json, new: Json) -> Found:
    if old["operationId"] != new["operationId"]:
        yield f"is called {new['operationId']}"


def _notice(old: Json, new: Json, today: datetime) -> Found:
    """Of an end that is not known yet, those who are to move on learn today at the earliest."""
    was, is_ = Deprecation.of(old), Deprecation.of(new)
    if is_ and not was and is_.ends - today < NOTICE:
        yield f"ends less than {NOTICE.days} days from now"
    if is_ and was and is_.ends < was.ends:
        yield "ends earlier than was said"


def _access(old: Json, new: Json, before: Json, after: Json) -> Found:
    ways = [_credentials(way, after) for way in new["security"] or [{}]]
    for way in old["security"] or [{}]:
        if not any(other <= _credentials(way, before) for other in ways):
            yield f"the credentials {' and '.join(way) or 'none'} are not enough"
    was, is_ = old["x-policy"], new["x-policy"]
    if ROLES.index(is_["role"]) > ROLES.index(was["role"]):
        yield f"demands the role {is_['role']}"
    if "scope" in was and was["scope"] != is_.get("scope"):
        yield "demands another scope"
    if was.get("idempotent") and not is_.get("idempotent"):
        yield "is not idempotent any more"
    known_callers = {limit["when"] for limit in before["x-rate-limits"].values()}
    for name in sorted({*is_.get("rate_limit", ())} - {*was.get("rate_limit", ())}):
        if after["x-rate-limits"][name]["when"] in known_callers:
            yield f"is charged to the rate limit {name}"


def _credentials(way: Json, document: Json) -> set[str]:
    schemes = document["components"]["securitySchemes"]
    keys = ("type", "scheme", "in", "name")
    return {" ".join(str(schemes[name].get(key)) for key in keys) for name in way}


def _request(old: Json, new: Json) -> Found:
    before, after = _parameters(old), _parameters(new)
    for name, parameter in after.items():
        was = before.get(name, {})
        if parameter.get("required") and not was.get("required"):
            yield f"{name} is required"
    for name, parameter in before.items():
        if name not in after:
            yield f"{name} is gone"
            continue
        if _spelling(parameter) != _spelling(after[name]):
            yield f"{name} is written another way"
        yield from narrowed(name, parameter["schema"], after[name]["schema"], asked=True)
    body, other = old.get("requestBody", {}), new.get("requestBody", {})
    if other.get("required") and not body.get("required"):
        yield "a body is required"
    yield from _content("the body", body, other, asked=True)


def _parameters(operation: Json) -> dict[str, Json]:
    return {f"{p['in']} parameter {p['name']}": p for p in operation["parameters"]}


def _spelling(parameter: Json) -> Json:
    """How a value is put into a request, with what OpenAPI takes for granted."""
    style = parameter.get("style", "form" if parameter["in"] in ("query", "cookie") else "simple")
    usual = {"style": style, "explode": style == "form"}
    return usual | {key: value for key, value in parameter.items() if key not in SAID}


def _answers(old: Json, new: Json) -> Found:
    yield from (f"answers {status}" for status in new.keys() - old.keys() if status[0] == "2")
    for status, was in old.items():
        if status not in new:
            yield f"{status} is gone"
            continue
        is_ = new[status]
        yield from _content(status, was, is_, asked=False)
        for name, header in was.get("headers", {}).items():
            other = is_.get("headers", {}).get(name, {})
            if not other or (header.get("required") and not other.get("required")):
                yield f"{status} may lack the header {name}"
            else:
                yield from narrowed(
                    f"{status} {name}", header["schema"], other["schema"], asked=False
                )


def _content(where: str, old: Json, new: Json, *, asked: bool) -> Found:
    after = new.get("content", {})
    for kind, was in old.get("content", {}).items():
        if kind not in after:
            yield f"{where} is no {kind}"
        else:
            yield from narrowed(where, was["schema"], after[kind]["schema"], asked=asked)
