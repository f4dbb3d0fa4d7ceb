"""Makes render.yaml (free, which the button deploys) and render.production.yaml out of what they share.

python -m scripts.render             writes both
python -m scripts.render --check     writes nothing, fails when one is stale
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

Json = dict[str, Any]

ROOT = Path(__file__).resolve().parents[1]
HEADER = """\
# {title}
# Made by `python -m scripts.render`; what to do with it: docs/deploy/render.md
"""


def free() -> Json:
    """All that costs nothing. There is no step before the start, so the start releases."""
    web, cache, database = _web("free"), _cache("free"), _database("free")
    return {
        "services": [web | {"dockerCommand": "scripts/start"}, cache],
        "databases": [database],
    }


def production() -> Json:
    """Two to four instances that follow the load, a standby of the database, and previews on demand."""
    web = _web("starter") | {
        "preDeployCommand": "madang release",
        "scaling": {"minInstances": 2, "maxInstances": 4, "targetCPUPercent": 70},
        "previews": {"plan": "starter", "numInstances": 1},
    }
    cache = _cache("starter") | {"previewPlan": "free"}
    database = _database("pro-4gb") | {
        "diskSizeGB": 10,
        "highAvailability": {"enabled": True},
        "previewPlan": "basic-256mb",
        "previewDiskSizeGB": 1,
    }
    return {
        "previews": {"generation": "manual", "expireAfterDays": 3},
        "services": [web, cache],
        "databases": [database],
    }


def _web(plan: str) -> Json:
    return {
        "type": "web",
        "name": "madang",
        "runtime": "docker",
        "plan": plan,
        "dockerfilePath": "./Dockerfile",
        "healthCheckPath": "/healthz",
        "maxShutdownDelaySeconds": 30,
        "envVars": [
            {"key": "ENVIRONMENT", "value": "production"},
            {
                "key": "DATABASE_URL",
                "fromDatabase": {"name": "madang-db", "property": "connectionString"},
            },
            {
                "key": "REDIS_URL",
                "fromService": {
                    "type": "keyvalue",
                    "name": "madang-cache",
                    "property": "connectionString",
                },
            },
            {"key": "JWT_SECRET_KEY", "generateValue": True},
            # Nothing is ever sent there: it is a name to log in with.
            {"key": "ADMIN_EMAIL", "value": "keeper@example.com"},
            {"key": "ADMIN_PASSWORD", "generateValue": True},
            # Render's own edge stands between its load balancer and us.
            {"key": "TRUSTED_PROXY_HOPS", "value": "2"},
            # What 512 MB hold.
            {"key": "WEB_CONCURRENCY", "value": "1"},
        ],
    }


def _cache(plan: str) -> Json:
    return {
        "type": "keyvalue",
        "name": "madang-cache",
        "plan": plan,
        "maxmemoryPolicy": "allkeys-lru",
        "ipAllowList": [],
    }


def _database(plan: str) -> Json:
    return {
        "name": "madang-db",
        "plan": plan,
        "databaseName": "madang",
        "user": "madang",
        "postgresMajorVersion": "17",
        "ipAllowList": [],
    }


FILES = {
    "render.yaml": ("What the button deploys on Render: free, for trying.", free),
    "render.production.yaml": ("For people who rely on it, on Render's paid plans.", production),
}


def text(name: str) -> str:
    title, make = FILES[name]
    return HEADER.format(title=title) + yaml.safe_dump(make(), sort_keys=False, width=160)


def main(arguments: list[str], root: Path = ROOT) -> int:
    stale = [
        name
        for name in FILES
        if not (root / name).is_file() or (root / name).read_text(encoding="utf-8") != text(name)
    ]
    if arguments == ["--check"]:
        print(*(f"{name} is stale: python -m scripts.render" for name in stale), sep="\n")
        return 1 if stale else 0
    for name in FILES:
        (root / name).write_text(text(name), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
