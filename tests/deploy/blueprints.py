"""What is wrong with a blueprint of Render that its schema does not see."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]


def faults(blueprint: Json) -> list[str]:
    """A sentence for each, with the name of what is wrong."""
    services, databases = blueprint.get("services", []), blueprint.get("databases", [])
    named = Counter(each["name"] for each in [*services, *databases])
    found = [f"{name}: two have this name" for name, times in named.items() if times > 1]
    for service in services:
        found += [f"{service['name']}: {fault}" for fault in _service(service)]
        for variable in service.get("envVars", []):
            wrong = _variable(variable, blueprint)
            found += [f"{service['name']}: {variable.get('key')}: {fault}" for fault in wrong]
    for group in blueprint.get("envVarGroups", []):
        for variable in group.get("envVars", []):
            if variable.get("sync") is False:
                found.append(f"{group['name']}: {variable['key']}: a group cannot ask for a value")
    found += [f"{each['name']}: is open to the world" for each in databases if _is_open(each)]
    return found


def _service(service: Json) -> Iterator[str]:
    if service.get("plan") == "free":
        for key in ("preDeployCommand", "scaling", "disk"):
            if key in service:
                yield f"the free plan has no {key}"
        if service.get("numInstances", 1) > 1:
            yield "the free plan has one instance"
        if service["type"] not in ("web", "keyvalue"):
            yield f"there is no free {service['type']}"
    if scaling := service.get("scaling"):
        low, high = scaling.get("minInstances"), scaling.get("maxInstances")
        if not (low and high and low <= high):
            yield "scaling has no bounds"
    if service["type"] == "keyvalue" and _is_open(service):
        yield "is open to the world"
    if service["type"] == "web" and "healthCheckPath" not in service:
        yield "is not watched"


def _is_open(service: Json) -> bool:
    return service.get("ipAllowList") != []


def _variable(variable: Json, blueprint: Json) -> Iterator[str]:
    database, service = variable.get("fromDatabase"), variable.get("fromService")
    group = variable.get("fromGroup")
    if database and database["name"] not in _names(blueprint, "databases"):
        yield "there is no such database"
    if service and service["name"] not in _names(blueprint, "services", type=service["type"]):
        yield "there is no such service"
    if group and group not in _names(blueprint, "envVarGroups"):
        yield "there is no such group"
    if variable.get("sync") is False:
        yield "is asked for at the first start"
    key = variable.get("key", "")
    if key.endswith(("_PASSWORD", "_SECRET_KEY", "_URL")) and "value" in variable:
        yield "a secret stands in the file"


def _names(blueprint: Json, section: str, **like: str) -> set[str]:
    return {each["name"] for each in blueprint.get(section, []) if like.items() <= each.items()}
