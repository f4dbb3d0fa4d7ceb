"""What commands do, apart from the command line."""

from __future__ import annotations

from api.infra.actor import Role, anonymous
from api.infra.db import db, transactional
from api.models import User
from api.users import service as users
from api.web.runtime import runtime

OPERATOR = anonymous(ip="local", request_id="command")
"""Who acts when there is no request."""


def add_person(body: dict[str, str], *, role: Role) -> User:
    """An account by the same rules as a sign-up; commits.

    *body*: ``email``, ``username``, ``password``. Raises ``InvalidInput`` and what
    ``api.users.service.create`` raises.
    """
    runtime().schemas.check_body(runtime().contract.operations["sign_up"], body)
    return transactional(users.create)(db.session(), OPERATOR, role=role, **body)
