"""HTTP for administrators: unpack what the contract validated, call the service, shape the answer."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response

from api.admin import service
from api.admin.schemas import AuditLogSchema
from api.audit import service as audit
from api.infra.db import db
from api.users import service as users
from api.users.schemas import AccountSchema
from api.web.identity import current_actor
from api.web.pagination import asked, listed, paged
from api.web.respond import ok
from api.web.runtime import runtime

_account = AccountSchema()
_audit_log = AuditLogSchema()


def list_accounts(**given: Any) -> Response:
    wanted = asked(**given)
    part = users.matching(db.session(), window=wanted.window, **wanted.filters)
    return paged(listed(wanted, part, _account.dump))


def block_user(id: str, body: dict[str, str]) -> Response:
    deny = runtime().denied.add
    user = service.block(db.session(), current_actor(), user_id=UUID(id), deny=deny, **body)
    return ok(_account.dump(user))


def unblock_user(id: str) -> Response:
    return ok(_account.dump(service.unblock(db.session(), current_actor(), user_id=UUID(id))))


def change_role(id: str, body: dict[str, Any]) -> Response:
    user = service.change_role(db.session(), current_actor(), user_id=UUID(id), **body)
    return ok(_account.dump(user))


def list_audit_logs(**given: Any) -> Response:
    wanted = asked(**given)
    part = audit.listed(db.session(), window=wanted.window, **wanted.filters)
    return paged(listed(wanted, part, _audit_log.dump))
