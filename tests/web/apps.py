"""Services other than the one most tests share: other settings, and what is written meanwhile."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from starlette.testclient import TestClient

from api.app import App, create_app
from api.config import Settings
from api.infra import logging as our_logging
from api.infra.db import db
from api.web.contract import Contract
from tests.memory import remembers_hits
from tests.spec import assert_documented

OURS = (our_logging.Json, our_logging.Readable)


@contextmanager
def app_with(
    environment: dict[str, str], contract: Contract | None = None, /, **changes: str
) -> Iterator[App]:
    """The whole service with other settings or contract, for as long as the block lasts."""
    app = remembers_hits(create_app(Settings.from_env(environment | changes), contract))
    try:
        yield app
    finally:
        app.runtime.limits.settle()
        with app.flask.app_context():
            db.engine.dispose()
        our_logging.configure(Settings.from_env(environment))


@contextmanager
def client_of(app: App) -> Iterator[TestClient]:
    """Like the fixture ``client``, of this service."""
    origin = app.runtime.settings.public_url
    with TestClient(app.asgi, base_url=origin, raise_server_exceptions=False) as client:
        client.event_hooks["response"].append(assert_documented)
        yield client


@contextmanager
def serving(
    environment: dict[str, str], contract: Contract | None = None, /, **changes: str
) -> Iterator[TestClient]:
    with app_with(environment, contract, **changes) as app, client_of(app) as client:
        yield client


@dataclass
class Log:
    stream: io.StringIO

    @property
    def text(self) -> str:
        """What the service wrote; lines of the test's own HTTP client are left out."""
        return "\n".join(
            line for line in self.stream.getvalue().splitlines() if "HTTP Request:" not in line
        )

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]


@contextmanager
def written() -> Iterator[Log]:
    """Everything that goes through the service's own handler, in its own format."""
    [handler] = [
        found
        for found in logging.getLogger().handlers
        if isinstance(found, logging.StreamHandler) and isinstance(found.formatter, OURS)
    ]
    stream = io.StringIO()
    before = handler.setStream(stream)
    try:
        yield Log(stream)
    finally:
        handler.setStream(before)
