"""Composition root: the one module that knows every other one."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass

from connexion import FlaskApp
from connexion.middleware.context import ContextMiddleware
from connexion.middleware.request_validation import RequestValidationMiddleware
from connexion.middleware.routing import RoutingMiddleware
from flask import Flask
from sqlalchemy.engine import make_url
from starlette.types import ASGIApp, Message

from api import models
from api.config import Settings
from api.infra import db_metrics, health, logging, passwords, redis
from api.infra.cache import PublicCache
from api.infra.cursors import Cursors
from api.infra.db import db, engine_options
from api.infra.db import init_app as init_db
from api.infra.db_password import Password
from api.infra.db_prepared import Prepared
from api.infra.db_watchdog import Breaker
from api.infra.denylist import DenyList
from api.infra.limiter import Counter
from api.infra.recent import Recent
from api.infra.tokens import LEEWAY, LIFETIME, AccessTokens
from api.web import errorhandler
from api.web.asgi import docs, probes
from api.web.asgi.accept import Accept
from api.web.asgi.bridge import Bridge
from api.web.asgi.charges import ChargeRefusals
from api.web.asgi.cors import Cors
from api.web.asgi.deadline import Deadline
from api.web.asgi.entry import Entry
from api.web.asgi.errors import Errors
from api.web.asgi.gate import Gate
from api.web.asgi.guard import Guard
from api.web.asgi.kept import Kept
from api.web.asgi.queue import Door, Queue, Queued
from api.web.asgi.routes import Root, Routes
from api.web.asgi.signature import Signature
from api.web.asgi.turns import Turns
from api.web.contract import Contract
from api.web.json import Orjson
from api.web.limits import Limits
from api.web.policy import PolicyResolver
from api.web.runtime import Runtime
from api.web.trusted import known_to_be_valid
from api.web.validation import Schemas, validator_map

THREADS = 5
"""In which Flask runs in each process; no more database connections are ever needed."""

__all__ = ["App", "create_app", "models"]


@dataclass(frozen=True, slots=True)
class App:
    asgi: ASGIApp
    flask: Flask
    runtime: Runtime


def create_app(settings: Settings, contract: Contract | None = None, *, stock: bool = False) -> App:
    """The whole service, by the published contract or by another one.

    *stock*: each request goes through Connexion's own layers, and not by the bridge (docs/adr/0022), Connexion
    validates the published contract once more (docs/adr/0024), and no statement is prepared (docs/adr/0030).
    Raises ``ContractError`` or ``ResolverError`` on a contract without code.
    """
    logging.configure(settings)
    validity = nullcontext() if contract or stock else known_to_be_valid()
    contract = contract or Contract.load()
    schemas = Schemas(contract)
    with validity:
        connexion, resolver = _connexion(contract, schemas)
    runtime = _prepare(connexion.app, contract, schemas, settings)
    passwords.warm_up()
    inner: ASGIApp = connexion
    if not stock:
        _build(connexion)
        with connexion.app.app_context():
            Prepared().watch(db.reads)
        inner = Bridge(connexion.app, resolver.handlers, schemas, THREADS)
    return App(_pipeline(inner, connexion, runtime), connexion.app, runtime)


def _connexion(contract: Contract, schemas: Schemas) -> tuple[FlaskApp, PolicyResolver]:
    """Connexion with routing and validation only: the pipeline around it does the rest."""
    app = FlaskApp(
        __name__,
        middlewares=[RoutingMiddleware, RequestValidationMiddleware, ContextMiddleware],
        server_args={"static_folder": None},  # else Flask has a route that no contract describes
    )
    resolver = PolicyResolver(contract)
    resolver.find_all()
    app.add_api(
        contract.for_connexion(),
        base_path=contract.base_path,
        resolver=resolver,
        validator_map=validator_map(schemas),
    )
    return app, resolver


def _build(connexion: ASGIApp) -> None:
    """Connexion reads the contract with its first message, here one that asks for nothing else.

    In a thread, since this one may have an event loop that runs.
    """
    said = iter(["lifespan.startup", "lifespan.shutdown"])

    async def receive() -> Message:
        return {"type": next(said)}

    async def send(_: Message) -> None:
        pass

    async def live() -> None:
        await connexion({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, live()).result()


def _prepare(flask: Flask, contract: Contract, schemas: Schemas, settings: Settings) -> Runtime:
    flask.debug = settings.debug
    flask.json = Orjson(flask)
    url = make_url(settings.database_url).set(drivername="postgresql+psycopg2")
    flask.config["SQLALCHEMY_DATABASE_URI"] = url
    flask.config["SQLALCHEMY_ENGINE_OPTIONS"] = engine_options(THREADS)
    init_db(flask)
    with flask.app_context():
        db_metrics.watch(db.reads, THREADS)
        Breaker().watch(db.reads, Password(settings.database_url, settings.database_url_file))
    errorhandler.install(flask)
    PublicCache(flask, settings.redis_url)
    client = redis.connect(settings.redis_url)
    breaker = redis.Breaker(client.ping)
    counter = Counter(settings.redis_url, settings.web_concurrency, breaker)
    runtime = Runtime(
        settings=settings,
        contract=contract,
        tokens=AccessTokens(flask, settings),
        denied=DenyList(client, LIFETIME + LEEWAY, breaker),
        recent=Recent(),
        cursors=Cursors(settings.signing_keys),
        limits=Limits(contract.rate_limits, counter, settings.rate_limit_scale),
        schemas=schemas,
    )
    runtime.attach(flask)
    return runtime


def _pipeline(inner: ASGIApp, connexion: FlaskApp, runtime: Runtime) -> ASGIApp:
    """A request's way, from the inside out (docs/adr tells why in this order)."""
    settings, contract = runtime.settings, runtime.contract
    root = docs.root_handlers(contract) | probes.root_handlers(
        health.database_probe(settings.database_url, settings.database_url_file),
        health.redis_probe(settings.redis_url),
        settings.revision,
    )
    queue = Queue(THREADS)
    app: ASGIApp = Queued(inner, queue)
    app = Gate(app)
    app = Turns(app)
    app = Deadline(app)
    app = Root(app, runtime.schemas, root)
    app = Guard(app)
    app = Accept(app)
    app = Signature(app, runtime.tokens)
    app = Door(app, queue)
    app = Kept(app, runtime.limits)
    app = Routes(app, contract, docs.pages(contract))
    app = ChargeRefusals(app, runtime.limits)
    app = Errors(app, debug=settings.debug)
    if settings.cors_origins:
        app = Cors(app, contract, settings.cors_origins)
    return Entry(app, settings, lifespan=connexion)
