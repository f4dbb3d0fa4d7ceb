"""HTTP for API keys: unpack what the contract validated, call the service, shape the answer."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response

from api.infra.db import db
from api.keys import service
from api.keys.schemas import KeySchema
from api.web.identity import current_actor
from api.web.pagination import asked, listed, paged
from api.web.respond import created, no_content

_key = KeySchema()
LIFETIME = 90
"""Days, unless the request says otherwise."""


def list_api_keys(**given: Any) -> Response:
    wanted = asked(**given)
    part = service.listed(db.session(), current_actor(), window=wanted.window)
    return paged(listed(wanted, part, _key.dump))


def create_api_key(body: dict[str, Any]) -> Response:
    wanted = {"expires_in_days": LIFETIME} | body
    key, secret = service.create(db.session(), current_actor(), **wanted)
    return created(_key.dump(key), shown_once={"key": secret})


def delete_api_key(id: str) -> Response:
    service.delete(db.session(), current_actor(), key_id=UUID(id))
    return no_content()
