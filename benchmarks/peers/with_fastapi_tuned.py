"""FastAPI as fast as somebody could make it who wanted nothing else.

Tables and statements that are compiled once in place of objects, each statement a transaction of its own, as much as
can be in one trip to the database (the session of the caller included), answers by orjson that nothing checks, tokens
remembered. Models of pydantic check what comes in, called by hand; ``greenlet_spawn`` is no public name of SQLAlchemy.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Annotated, Any, TypeVar
from uuid import UUID

import jwt
import orjson
import shared
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from sqlalchemy import (
    Boolean,
    ClauseElement,
    Column,
    DateTime,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    Row,
    Table,
    Text,
    Uuid,
    and_,
    bindparam,
    exists,
    func,
    insert,
    literal,
    literal_column,
    select,
    tuple_,
    update,
)
from sqlalchemy.engine import Compiled
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.util import greenlet_spawn
from starlette.requests import ClientDisconnect

URL = shared.DATABASE_URL.replace("postgresql://", "postgresql+asyncpg://")

engine = create_async_engine(
    URL,
    pool_size=shared.CONNECTIONS,
    max_overflow=0,
    # Planned once for each connection: to plan such a question takes as long as to answer it.
    connect_args={"server_settings": {"plan_cache_mode": "force_generic_plan"}},
    # Each statement is a transaction: nothing begins, ends or is rolled back in a trip of its own.
    isolation_level="AUTOCOMMIT",
    pool_reset_on_return=None,
    skip_autocommit_rollback=True,
)
app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)

T = TypeVar("T", bound=BaseModel)

tables = MetaData()
Time = DateTime(timezone=True)
users = Table(
    "users",
    tables,
    Column("id", Uuid, primary_key=True),
    Column("email", Text),
    Column("username", Text),
    Column("password_hash", Text),
    Column("status", Text),
    Column("post_count", Integer),
)
posts = Table(
    "posts",
    tables,
    Column("id", Uuid, primary_key=True),
    Column("author_id", ForeignKey(users.c.id)),
    Column("title", Text),
    Column("body", Text),
    Column("is_published", Boolean),
    Column("published_at", Time),
    Column("comment_count", Integer),
    Column("created_at", Time),
    Column("updated_at", Time),
)
totals = Table(
    "post_totals",
    tables,
    Column("shard", Integer, primary_key=True),
    Column("published", Integer),
)
sessions = Table(
    "sessions",
    tables,
    Column("id", Uuid, primary_key=True),
    Column("user_id", ForeignKey(users.c.id)),
    Column("ended_at", Time),
)
refresh_tokens = Table(
    "refresh_tokens",
    tables,
    Column("token_hash", LargeBinary, primary_key=True),
    Column("session_id", ForeignKey(sessions.c.id)),
    Column("sequence", Integer),
)


class PostIn(BaseModel):
    model_config = ConfigDict(extra="forbid")
    title: Annotated[str, StringConstraints(min_length=1, max_length=shared.TITLE)]
    body: Annotated[str, StringConstraints(min_length=1, max_length=shared.BODY)]
    is_published: bool = False


class Wanted(BaseModel):
    page: Annotated[int, Field(ge=1, le=100)] = 1
    size: Annotated[int, Field(ge=1, le=100)] = 20
    cursor: Annotated[str | None, Field(max_length=1000)] = None
    created_after: datetime | None = None


class LogIn(BaseModel):
    email: Annotated[str, StringConstraints(max_length=254)]
    password: Annotated[str, StringConstraints(min_length=8, max_length=128)]


def compiled(statement: ClauseElement) -> Compiled:
    """So that nobody looks for it among those that were compiled, which takes as long as to execute it."""
    return statement.compile(engine.sync_engine)


author = users.alias("author")
_SHOWN = (
    posts.c.id,
    posts.c.title,
    posts.c.body,
    author.c.id.label("author_id"),
    author.c.username,
    posts.c.is_published,
    posts.c.published_at,
    posts.c.comment_count,
    posts.c.created_at,
    posts.c.updated_at,
)
_WRITTEN = posts.join(author, author.c.id == posts.c.author_id)
_CALLER = (
    select(users.c.id, users.c.username)
    .join(sessions, sessions.c.user_id == users.c.id)
    .where(
        sessions.c.id == bindparam("session_id", type_=Uuid),
        sessions.c.ended_at.is_(None),
        users.c.status == "active",
    )
)
_TOTAL = select(func.sum(totals.c.published))
_TOTAL_ALONE = compiled(_TOTAL)
_WHO = compiled(
    select(users.c.id, users.c.status, users.c.password_hash).where(
        func.lower(users.c.email) == bindparam("email", type_=Text)
    )
)


@cache
def _list(
    is_numbered: bool, is_walked: bool, is_filtered: bool, is_later: bool, size: int
) -> Compiled:
    """Each post; with the number of all where pages have numbers. PostgreSQL plans better for a known limit."""
    wanted = select(*_SHOWN, *([_TOTAL.scalar_subquery()] if is_numbered else []))
    wanted = wanted.select_from(_WRITTEN).where(posts.c.is_published)
    if is_filtered:
        wanted = wanted.where(posts.c.created_at > bindparam("created_after", type_=Time))
    if is_walked:
        here = tuple_(posts.c.published_at, posts.c.id)
        last = tuple_(bindparam("last_at", type_=Time), bindparam("last_id", type_=Uuid))
        wanted = wanted.where(here < last)
    wanted = wanted.order_by(posts.c.published_at.desc(), posts.c.id.desc())
    if is_later:
        wanted = wanted.offset(bindparam("offset", type_=Integer))
    return compiled(wanted.limit(literal_column(str(size + 1))))


@cache
def _single(is_known: bool) -> Compiled:
    """The post; with a session the caller before it, who is there whether the post is or not."""
    this = posts.c.id == bindparam("id", type_=Uuid)
    if not is_known:
        return compiled(select(*_SHOWN).select_from(_WRITTEN).where(this, posts.c.is_published))
    caller = _CALLER.subquery("caller")
    visible = and_(this, posts.c.is_published | (posts.c.author_id == caller.c.id))
    shown = select(caller.c.id.label("caller_id"), *_SHOWN)
    return compiled(shown.select_from(caller.outerjoin(_WRITTEN, visible)))


@cache
def _creation(is_published: bool) -> Compiled:
    """The post as it is kept, if the session is alive; one statement, hence one transaction."""
    caller = _CALLER.cte("caller")
    given = {
        "id": bindparam("new_id", type_=Uuid),
        "author_id": caller.c.id,
        "title": bindparam("new_title", type_=Text),
        "body": bindparam("new_body", type_=Text),
        "is_published": literal(is_published),
        **({"published_at": func.now()} if is_published else {}),
    }
    new = insert(posts).from_select(list(given), select(*given.values()))
    new = new.returning(*posts.c).cte("new")
    shown = [
        new.c.id,
        new.c.title,
        new.c.body,
        caller.c.id.label("author_id"),
        caller.c.username,
        new.c.is_published,
        new.c.published_at,
        new.c.comment_count,
        new.c.created_at,
        new.c.updated_at,
    ]
    made = select(*shown).select_from(new.join(caller, caller.c.id == new.c.author_id))
    if not is_published:
        return compiled(made)
    one_more = update(users).where(users.c.id == caller.c.id)
    total = update(totals).where(
        totals.c.shard == bindparam("its_shard", type_=Integer), exists(select(caller.c.id))
    )
    return compiled(
        made.add_cte(
            one_more.values(post_count=users.c.post_count + 1).cte("one_more"),
            total.values(published=totals.c.published + 1).cte("total"),
        )
    )


_OPENED = (
    insert(sessions)
    .values(id=bindparam("new_id"), user_id=bindparam("caller_id"))
    .returning(sessions.c.id)
    .cte("opened")
)
_LOGGED_IN = compiled(
    insert(refresh_tokens).from_select(
        ["token_hash", "session_id", "sequence"],
        select(bindparam("new_hash", type_=LargeBinary), _OPENED.c.id, literal(1)),
    )
)


def _rows(statement: Compiled, given: dict[str, Any]) -> Sequence[Row[Any]]:
    with engine.sync_engine.connect() as db:
        result = db.execute(statement, given)
        return result.all() if result.returns_rows else ()


async def ask(statement: Compiled, **given: Any) -> Sequence[Row[Any]]:
    """In one greenlet, where ``AsyncConnection`` makes one for each of connecting, asking and leaving."""
    return await greenlet_spawn(_rows, statement, given)


def session_of(request: Request) -> UUID | None:
    authorization = request.headers.get("authorization")
    if authorization is None:
        return None
    session_id, until = _known.get(authorization, (None, 0.0))
    if session_id and time.monotonic() < until:
        return session_id
    try:
        session_id = shared.session_of(authorization)
    except jwt.InvalidTokenError as err:
        raise HTTPException(401) from err
    if len(_known) >= MOST_KNOWN:
        _known.clear()
    _known[authorization] = session_id, time.monotonic() + REMEMBERED
    return session_id


MOST_KNOWN = 4096
REMEMBERED = 60.0
"""Seconds for which a token that was verified needs not be verified again."""
_known: dict[str, tuple[UUID, float]] = {}


async def body_of(request: Request, model: type[T]) -> T:
    """Read by pydantic itself, where FastAPI has ``json`` read it first."""
    try:
        body = await request.body()
    except ClientDisconnect as err:
        raise HTTPException(400) from err
    is_json = request.headers.get("content-type", "").startswith("application/json")
    try:
        return model.model_validate_json(body) if is_json else model.model_validate(body)
    except ValidationError as err:
        raise refusal(err, "body") from err


def query_of(request: Request) -> Wanted:
    """All of it at once, where FastAPI has pydantic check one parameter after another."""
    try:
        return Wanted.model_validate(dict(request.query_params))
    except ValidationError as err:
        raise refusal(err, "query") from err


def refusal(err: ValidationError, place: str) -> RequestValidationError:
    faults = err.errors(include_url=False)
    return RequestValidationError([{**each, "loc": (place, *each["loc"])} for each in faults])


@app.get("/api/v1/posts")
async def list_posts(request: Request) -> Response:
    wanted = query_of(request)
    page, size, cursor, created_after = (
        wanted.page,
        wanted.size,
        wanted.cursor,
        wanted.created_after,
    )
    given: dict[str, Any] = {}
    is_later = cursor is None and page > 1
    if is_later:
        given["offset"] = (page - 1) * size
    if cursor:
        given["last_at"], given["last_id"] = shared.read_cursor(cursor)
    if created_after is not None:
        given["created_after"] = created_after
    rows = await ask(
        _list(cursor is None, bool(cursor), created_after is not None, is_later, size), **given
    )
    total = None
    if cursor is None:
        total = int((rows[0][-1] if rows else (await ask(_TOTAL_ALONE))[0][0]) or 0)
    return ok(
        {
            "items": [shown(row) for row in rows[:size]],
            "page": page if cursor is None else None,
            "size": size,
            "total": total,
            **shared.links(page, size, cursor, rows[size - 1] if len(rows) > size else None),
        }
    )


@app.get("/api/v1/posts/{id}")
async def get_post(id: UUID, request: Request) -> Response:
    session_id = session_of(request)
    if session_id is None:
        rows = await ask(_single(is_known=False), id=id)
    else:
        rows = await ask(_single(is_known=True), id=id, session_id=session_id)
        if not rows:
            raise HTTPException(401)
        rows = [row[1:] for row in rows if row[1]]
    if not rows:
        raise HTTPException(404)
    return ok(shown(rows[0]))


@app.post("/api/v1/posts", status_code=201)
async def create_post(request: Request) -> Response:
    session_id = session_of(request)
    if session_id is None:
        raise HTTPException(401)
    given = await body_of(request, PostIn)
    post = {"new_id": shared.uuid7(), "new_title": given.title, "new_body": given.body}
    if given.is_published:
        post["its_shard"] = shared.shard()
    rows = await ask(_creation(given.is_published), session_id=session_id, **post)
    if not rows:
        raise HTTPException(401)
    return ok(shown(rows[0]), 201, {"Location": f"/api/v1/posts/{post['new_id']}"})


@app.post("/api/v1/auth/login")
async def log_in(request: Request) -> Response:
    given = await body_of(request, LogIn)
    found = await ask(_WHO, email=given.email.lower())
    if not found:
        raise HTTPException(401)
    [(user_id, status, password_hash)] = found
    if status != "active" or not await asyncio.to_thread(
        shared.fits, password_hash, given.password
    ):
        raise HTTPException(401)
    session_id = shared.uuid7()
    await ask(_LOGGED_IN, new_id=session_id, caller_id=user_id, new_hash=shared.refresh_token())
    token = shared.token_for(user_id, session_id)
    return ok({"access_token": token, "token_type": "Bearer", "expires_in": 900})


def ok(data: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    body = orjson.dumps({"status": "ok", "data": data}, option=orjson.OPT_UTC_Z)
    return Response(body, status, headers, media_type="application/json")


def shown(row: Sequence[Any]) -> dict[str, Any]:
    """Of ``_SHOWN``."""
    id_, title, body, author_id, username, is_published, published, comments, created, updated = (
        row[:10]
    )
    return {
        "id": str(id_),
        "title": title,
        "body": body,
        "author": {"id": str(author_id), "username": username},
        "is_published": is_published,
        "published_at": moment(published),
        "comment_count": comments,
        "created_at": moment(created),
        "updated_at": moment(updated),
    }


def moment(at: datetime | None) -> datetime | str | None:
    """asyncpg tells them in UTC; orjson writes them as we do, but for those without microseconds."""
    return at if at is None or at.microsecond else shared.moment(at)


async def idle() -> Response:
    return Response(status_code=405)


for other in shared.OTHER_PATHS:  # as many routes as Madang has
    app.add_api_route(other, idle, methods=["GET"])

gc.freeze()  # what is there by now stays
gc.set_threshold(50_000, 20, 20)  # nor does a request leave circles
