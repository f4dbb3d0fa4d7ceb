"""FastAPI, async SQLAlchemy and asyncpg, under uvicorn with uvloop and httptools.

Written as their documentation advises: a session for each request as a dependency, the person behind the token
loaded in one, models of pydantic for what comes in and goes out, one pool for each process.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

import jwt
import shared
from fastapi import Depends, FastAPI, Header, HTTPException, Query, Response
from pydantic import BaseModel, ConfigDict, PlainSerializer, StringConstraints
from sqlalchemy import DateTime, ForeignKey, func, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, joinedload, mapped_column, relationship

URL = shared.DATABASE_URL.replace("postgresql://", "postgresql+asyncpg://")

engine = create_async_engine(URL, pool_size=shared.CONNECTIONS, max_overflow=0)
sessions = async_sessionmaker(engine, expire_on_commit=False)
app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
T = TypeVar("T")


class Base(DeclarativeBase):
    type_annotation_map = {datetime: DateTime(timezone=True)}


class User(Base):
    __tablename__ = "users"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    email: Mapped[str]
    username: Mapped[str]
    password_hash: Mapped[str]
    role: Mapped[str]
    status: Mapped[str]
    post_count: Mapped[int]


class Post(Base):
    __tablename__ = "posts"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=shared.uuid7)
    author_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    title: Mapped[str]
    body: Mapped[str]
    is_published: Mapped[bool]
    published_at: Mapped[datetime | None]
    comment_count: Mapped[int] = mapped_column(server_default="0")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    version: Mapped[int] = mapped_column(server_default="1")
    author: Mapped[User] = relationship(lazy="raise")


class PostTotal(Base):
    __tablename__ = "post_totals"
    shard: Mapped[int] = mapped_column(primary_key=True)
    published: Mapped[int]


class Session(Base):
    __tablename__ = "sessions"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=shared.uuid7)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    ended_at: Mapped[datetime | None]


class RefreshToken(Base):
    __tablename__ = "refresh_tokens"
    token_hash: Mapped[bytes] = mapped_column(primary_key=True)
    session_id: Mapped[UUID] = mapped_column(ForeignKey("sessions.id"))
    sequence: Mapped[int]


Moment = Annotated[datetime, PlainSerializer(shared.moment, return_type=str)]


class Out(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class AuthorOut(Out):
    id: UUID
    username: str


class PostOut(Out):
    id: UUID
    title: str
    body: str
    author: AuthorOut
    is_published: bool
    published_at: Moment | None
    comment_count: int
    created_at: Moment
    updated_at: Moment


class Page(BaseModel):
    items: list[PostOut]
    page: int | None
    size: int
    total: int | None
    next: str | None
    prev: str | None


class Ok(BaseModel, Generic[T]):
    status: str = "ok"
    data: T


class PostIn(BaseModel):
    model_config = ConfigDict(extra="forbid")
    title: Annotated[str, StringConstraints(min_length=1, max_length=shared.TITLE)]
    body: Annotated[str, StringConstraints(min_length=1, max_length=shared.BODY)]
    is_published: bool = False


class LogIn(BaseModel):
    email: Annotated[str, StringConstraints(max_length=254)]
    password: Annotated[str, StringConstraints(min_length=8, max_length=128)]


class Token(BaseModel):
    access_token: str
    token_type: str = "Bearer"  # noqa: S105 - a kind of token
    expires_in: int = 900


async def session() -> AsyncIterator[AsyncSession]:
    async with sessions() as opened:
        yield opened


Db = Annotated[AsyncSession, Depends(session)]


async def caller(db: Db, authorization: Annotated[str | None, Header()] = None) -> User | None:
    if authorization is None:
        return None
    try:
        session_id = shared.session_of(authorization)
    except jwt.InvalidTokenError as err:
        raise HTTPException(401) from err
    found = await db.scalar(
        select(User)
        .join(Session, Session.user_id == User.id)
        .where(Session.id == session_id, Session.ended_at.is_(None), User.status == "active")
    )
    if found is None:
        raise HTTPException(401)
    return found


Caller = Annotated[User | None, Depends(caller)]


async def member(found: Caller) -> User:
    if found is None:
        raise HTTPException(401)
    return found


Member = Annotated[User, Depends(member)]


@app.get("/api/v1/posts")
async def list_posts(
    db: Db,
    page: Annotated[int, Query(ge=1, le=100)] = 1,
    size: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: Annotated[str | None, Query(max_length=1000)] = None,
    created_after: datetime | None = None,
) -> Ok[Page]:
    wanted = select(Post).where(Post.is_published).options(joinedload(Post.author))
    if created_after:
        wanted = wanted.where(Post.created_at > created_after)
    if cursor:
        here = tuple_(Post.published_at, Post.id)
        wanted = wanted.where(here < tuple_(*shared.read_cursor(cursor)))
    wanted = wanted.order_by(Post.published_at.desc(), Post.id.desc())
    if cursor is None:
        wanted = wanted.offset((page - 1) * size)
    rows = (await db.scalars(wanted.limit(size + 1))).all()
    items, more = rows[:size], len(rows) > size
    total = (
        int(await db.scalar(select(func.sum(PostTotal.published))) or 0) if cursor is None else None
    )
    return Ok[Page](
        data=Page(
            items=[PostOut.model_validate(item) for item in items],
            page=page if cursor is None else None,
            size=size,
            total=total,
            **shared.links(page, size, cursor, items[-1] if more else None),
        )
    )


@app.get("/api/v1/posts/{id}")
async def get_post(id: UUID, db: Db, who: Caller) -> Ok[PostOut]:
    visible = Post.is_published if who is None else Post.is_published | (Post.author_id == who.id)
    found = await db.scalar(
        select(Post).where(Post.id == id, visible).options(joinedload(Post.author))
    )
    if found is None:
        raise HTTPException(404)
    return Ok[PostOut](data=PostOut.model_validate(found))


@app.post("/api/v1/posts", status_code=201)
async def create_post(given: PostIn, db: Db, who: Member, response: Response) -> Ok[PostOut]:
    post = Post(
        author_id=who.id,
        title=given.title,
        body=given.body,
        is_published=given.is_published,
        published_at=func.now() if given.is_published else None,
    )
    db.add(post)
    await db.flush()
    if given.is_published:
        await db.execute(
            update(User).where(User.id == who.id).values(post_count=User.post_count + 1)
        )
        shard = PostTotal.shard == shared.shard()
        await db.execute(update(PostTotal).where(shard).values(published=PostTotal.published + 1))
    await db.refresh(post)
    await db.commit()
    response.headers["Location"] = f"/api/v1/posts/{post.id}"
    out = PostOut.model_validate({**_columns(post), "author": AuthorOut.model_validate(who)})
    return Ok[PostOut](data=out)


@app.post("/api/v1/auth/login")
async def log_in(given: LogIn, db: Db) -> Ok[Token]:
    who = await db.scalar(select(User).where(func.lower(User.email) == given.email.lower()))
    if (
        who is None
        or who.status != "active"
        or not await asyncio.to_thread(shared.fits, who.password_hash, given.password)
    ):
        raise HTTPException(401)
    opened = Session(user_id=who.id)
    db.add(opened)
    await db.flush()
    db.add(RefreshToken(token_hash=shared.refresh_token(), session_id=opened.id, sequence=1))
    await db.commit()
    return Ok[Token](data=Token(access_token=shared.token_for(who.id, opened.id)))


def _columns(post: Post) -> dict[str, Any]:
    return {column.key: getattr(post, column.key) for column in Post.__table__.columns}


async def idle() -> Response:
    return Response(status_code=405)


for other in shared.OTHER_PATHS:  # as many routes as Madang has
    app.add_api_route(other, idle, methods=["GET"])
