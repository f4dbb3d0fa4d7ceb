"""The long-lived parts that handlers need, made once by ``api.app``."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Flask, current_app

from api.config import Settings
from api.infra.cursors import Cursors
from api.infra.denylist import DenyList
from api.infra.recent import Recent
from api.infra.tokens import AccessTokens
from api.web.contract import Contract
from api.web.limits import Limits
from api.web.validation import Schemas

KEY = "madang"


@dataclass(frozen=True, slots=True)
class Runtime:
    settings: Settings
    contract: Contract
    tokens: AccessTokens
    denied: DenyList
    recent: Recent
    limits: Limits
    cursors: Cursors
    schemas: Schemas

    def attach(self, flask: Flask) -> None:
        flask.extensions[KEY] = self


def runtime() -> Runtime:
    found: Runtime = current_app.extensions[KEY]
    return found
