"""A service with the world that the examples tell of, and the request each operation is meant for."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from api.app import App
from api.commands.seed_contract import COMMENT, KEY, PASSWORD, PEOPLE, POST, seed
from api.infra.db import db
from api.models import LoginSession
from api.web.contract import Operation
from tests.auth.flows import COOKIE, PROGRAM, Login, log_in
from tests.spec import CONTRACT, spec_of

OPERATIONS = list(CONTRACT.operations.values())
IDS = {"posts": POST, "comments": COMMENT, "users": PEOPLE["member"].id, "api-keys": KEY}
WRITTEN_BY_ANOTHER = {"create_comment", "update_comment", "delete_comment"}
WITH_COOKIE = {"refresh_session", "log_out"}
UNKNOWN_COOKIE = {"Cookie": f"{COOKIE}={'x' * 43}"}


@dataclass
class Ask:
    """A request that is answered well, for a test to spoil."""

    operation: Operation
    path: str
    who: str | None
    """By what they are there for, a key of ``PEOPLE``."""
    params: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    json: Any = None
    content: bytes | None = None

    def add(self, parameter: str, value: str) -> None:
        [place] = [p["in"] for p in self.operation.parameters if p["name"] == parameter]
        (self.params if place == "query" else self.headers)[parameter] = value


class World:
    def __init__(self, app: App, client: TestClient) -> None:
        self.app = app
        self.client = client
        with app.flask.app_context():
            list(seed(app.runtime.settings, reset=True))
        self._tokens = {who: self._token(who) for who in PEOPLE}

    def ask(self, operation: Operation) -> Ask:
        kind = operation.path.removeprefix(CONTRACT.base_path).split("/")
        thing = next((IDS[part] for part in kind if part in IDS), None)
        who = None if operation.is_root else "member"
        if operation.policy.role != "anyone" and operation.policy.role != "user":
            who = "admin"
        if operation.id in WRITTEN_BY_ANOTHER:
            who = "stranger"
        bodies = list(examples(spec_of(operation).get("requestBody", {})).values())
        path = operation.path.replace("{id}", str(thing))
        return Ask(operation, path, who, json=copy.deepcopy(bodies[0]) if bodies else None)

    def send(self, ask: Ask, client: httpx.Client | None = None) -> httpx.Response:
        """*client*: of another service that has the same signing key."""
        headers = dict(ask.headers)
        if ask.who and not headers.keys() & {"Authorization", "X-API-Key"}:
            headers["Authorization"] = f"Bearer {self.token(ask.who)}"
        if ask.operation.id in WITH_COOKIE:
            headers = PROGRAM | headers
            if "Cookie" not in headers:
                headers["Cookie"] = f"{COOKIE}={self.refresh_token()}"
        body = {"json": ask.json} if ask.content is None else {"content": ask.content}
        return (client or self.client).request(
            ask.operation.method,
            ask.path,
            params=ask.params,
            headers={k: v for k, v in headers.items() if v},
            **body,
        )

    def token(self, who: str) -> str:
        return self._tokens[who]

    def _token(self, who: str) -> str:
        with self.app.flask.app_context():
            login = LoginSession(user_id=PEOPLE[who].id)
            db.session.add(login)
            db.session.commit()
            return self.app.runtime.tokens.issue(PEOPLE[who].id, login.id)

    def refresh_token(self) -> str:
        """Of a session that begins now: each is good for one request."""
        return Login.of(log_in(self.client, PEOPLE["member"].email, PASSWORD)).refresh


def examples(node: dict[str, Any]) -> dict[str, Any]:
    """The JSON examples of a request body or an answer, by their names."""
    content = CONTRACT.resolve(node).get("content", {}).get("application/json", {})
    named = content.get("examples", {}).items()
    return {name: CONTRACT.resolve(example)["value"] for name, example in named}


def parameters(wanted: Callable[[Operation], bool]) -> list[Any]:
    """Cases for a test: of such operations each parameter beside the path, and its example as it is sent."""
    return [
        pytest.param(
            operation, found["name"], _text(found["example"]), id=f"{operation.id}-{found['name']}"
        )
        for operation in filter(wanted, OPERATIONS)
        for found in operation.parameters
        if found["in"] in {"header", "query"}
    ]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
