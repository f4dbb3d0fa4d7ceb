"""Wraps each handler in what the contract says of it, so that handlers hold business only."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import UUID

from connexion.resolver import Resolution, Resolver
from flask import Response

from api.errors import DomainError
from api.infra.actor import Actor
from api.infra.db import db, only_read, transactional, translated
from api.web import conditional, context, idempotency, identity
from api.web.context import RequestContext
from api.web.contract import Contract, Operation
from api.web.runtime import runtime

log = logging.getLogger(__name__)
Handler = Callable[..., Response]

ENDS_AN_ACCOUNT = {"delete_me", "delete_user"}


class PolicyResolver(Resolver):  # type: ignore[misc]  # Connexion ships no types
    """Finds ``api.<tag>.handlers.<operationId>`` and puts its policy around it."""

    def __init__(self, contract: Contract) -> None:
        super().__init__()
        self._contract = contract
        self.handlers: dict[str, Handler] = {}
        """By operation id, in their policy; complete once the contract was added to Connexion."""

    def resolve(self, operation: Any) -> Resolution:
        known = self._contract.operations[operation.operation_id]
        self.handlers[known.id] = handler = enforce(known, self._find(known))
        return Resolution(handler, known.id)

    def find_all(self) -> None:
        """Raises ``ResolverError`` for an operation without a handler, which Connexion itself
        notices with the first request only."""
        for operation in self._contract.operations.values():
            if not operation.is_root:
                self._find(operation)

    def _find(self, operation: Operation) -> Handler:
        name = f"api.{operation.tag.lower()}.handlers.{operation.id}"
        found: Handler = self.resolve_function_from_operation_id(name)
        return found


def enforce(operation: Operation, handler: Handler) -> Handler:
    """Rate limits, then, in one transaction, idempotency key, session and role, and the handler."""
    writes = operation.method != "GET"
    # What administrators do, and the end of an account, take locks of their own and ask again behind them.
    hold = writes and operation.policy.role != "admin" and operation.id not in ENDS_AN_ACCOUNT

    @wraps(handler)
    def authorized(*args: Any, **kwargs: Any) -> Response:
        if idempotency.is_asked(operation):
            _admit(operation, hold=False)  # nobody waits, or is told of others, who may not come in
        claim = idempotency.claim(db.session(), operation)
        actor = _admit(operation, hold=hold)
        if claim and (answer := claim.answer()):
            return answer
        response = handler(*args, **kwargs)
        if claim:
            claim.keep(response)
        return response if writes else conditional.finished(response, is_public=not actor.user_id)

    inner = transactional(authorized) if writes else translated()(authorized)

    @wraps(handler)
    def wrapper(*args: Any, **kwargs: Any) -> Response:
        request = context.current()
        if not writes:
            only_read()
        try:
            _recognise(request)
        finally:
            runtime().limits.charge(request)  # whoever guesses keys pays as well
        try:
            return inner(*args, **kwargs)
        finally:
            if (
                request.key and request.key.is_new
            ):  # refused or not: who tries out a key leaves a trace
                _note_use(request.key.key_id)

    return wrapper


def _admit(operation: Operation, *, hold: bool) -> Actor:
    """Who is calling, if they may call this at all."""
    request = context.current()
    actor = identity.authenticate(db.session(), request, runtime(), hold=hold)
    request.actor = actor  # first, so that the log says who was refused
    identity.require(actor, operation.policy)
    return actor


@translated()
def _recognise(request: RequestContext) -> None:
    identity.recognise(db.session(), request)


def _note_use(key_id: UUID) -> None:
    """What was done stays done, whether it can be noted or not."""
    try:
        transactional(identity.note_use)(db.session(), key_id)
    except DomainError as err:
        log.warning("the use of an API key was not noted: %s", err.code)
