"""HTTP for limits: what is left in each bucket of the caller."""

from __future__ import annotations

from flask import Response

from api.limits.schemas import LimitSchema
from api.web import context
from api.web.respond import ok
from api.web.runtime import runtime

_limit = LimitSchema()


def get_limits() -> Response:
    buckets = runtime().limits.standing(context.current())
    return ok({"limits": _limit.dump(buckets, many=True)})
