"""Plain Flask and SQLAlchemy under gunicorn with threads: hand-written checks, dicts, orjson."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import jwt
import orjson
import shared
from flask import Flask, Response, abort, g, request
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import DateTime, ForeignKey, func, select, tuple_, update
from sqlalchemy.orm import DeclarativeBase, Mapped, joinedload, mapped_column, relationship


class Base(DeclarativeBase):
    pass


Time = Annotated[datetime, mapped_column(DateTime(timezone=True))]


app = Flask(__name__, static_folder=None)
app.config["SQLALCHEMY_DATABASE_URI"] = shared.DATABASE_URL.replace(
    "postgresql://", "postgresql+psycopg2://"
)
app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {"pool_size": shared.CONNECTIONS, "max_overflow": 0}
db = SQLAlchemy(app, model_class=Base)


class User(db.Model):
    __tablename__ = "users"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    email: Mapped[str]
    username: Mapped[str]
    password_hash: Mapped[str]
    role: Mapped[str]
    status: Mapped[str]
    post_count: Mapped[int]


class Post(db.Model):
    __tablename__ = "posts"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=shared.uuid7)
    author_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    title: Mapped[str]
    body: Mapped[str]
    is_published: Mapped[bool]
    published_at: Mapped[Time | None]
    comment_count: Mapped[int] = mapped_column(server_default="0")
    created_at: Mapped[Time] = mapped_column(server_default=func.now())
    updated_at: Mapped[Time] = mapped_column(server_default=func.now())
    author: Mapped[User] = relationship(lazy="raise")


class PostTotal(db.Model):
    __tablename__ = "post_totals"
    shard: Mapped[int] = mapped_column(primary_key=True)
    published: Mapped[int]


class Session(db.Model):
    __tablename__ = "sessions"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=shared.uuid7)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    ended_at: Mapped[Time | None]


class RefreshToken(db.Model):
    __tablename__ = "refresh_tokens"
    token_hash: Mapped[bytes] = mapped_column(primary_key=True)
    session_id: Mapped[UUID] = mapped_column(ForeignKey("sessions.id"))
    sequence: Mapped[int]


@app.before_request
def load_caller() -> None:
    g.who = None
    header = request.headers.get("Authorization")
    if header is None:
        return
    try:
        session_id = shared.session_of(header)
    except jwt.InvalidTokenError:
        abort(401)
    living = (Session.id == session_id, Session.ended_at.is_(None), User.status == "active")
    g.who = db.session.scalar(select(User).join(Session, Session.user_id == User.id).where(*living))
    if g.who is None:
        abort(401)


@app.get("/api/v1/posts")
def list_posts() -> Response:
    page, size = _bounded("page", 1), _bounded("size", 20)
    cursor = request.args.get("cursor")
    wanted = select(Post).where(Post.is_published).options(joinedload(Post.author))
    if after := request.args.get("created_after"):
        wanted = wanted.where(Post.created_at > datetime.fromisoformat(after))
    if cursor:
        here = tuple_(Post.published_at, Post.id)
        wanted = wanted.where(here < tuple_(*shared.read_cursor(cursor)))
    wanted = wanted.order_by(Post.published_at.desc(), Post.id.desc())
    if cursor is None:
        wanted = wanted.offset((page - 1) * size)
    rows = db.session.scalars(wanted.limit(size + 1)).all()
    items, more, numbered = rows[:size], len(rows) > size, cursor is None
    return _ok(
        {
            "items": [_post(item) for item in items],
            "page": page if numbered else None,
            "size": size,
            "total": int(db.session.scalar(select(func.sum(PostTotal.published))) or 0)
            if numbered
            else None,
            **shared.links(page, size, cursor, items[-1] if more else None),
        }
    )


@app.get("/api/v1/posts/<uuid:id>")
def get_post(id: UUID) -> Response:
    visible = (
        Post.is_published if g.who is None else Post.is_published | (Post.author_id == g.who.id)
    )
    found = db.session.scalar(
        select(Post).where(Post.id == id, visible).options(joinedload(Post.author))
    )
    if found is None:
        abort(404)
    return _ok(_post(found))


@app.post("/api/v1/posts")
def create_post() -> Response:
    if g.who is None:
        abort(401)
    given = request.get_json()
    title, body, is_published = given["title"], given["body"], given.get("is_published", False)
    if (
        not 1 <= len(title) <= shared.TITLE
        or not 1 <= len(body) <= shared.BODY
        or not isinstance(is_published, bool)
    ):
        abort(400)
    at = func.now() if is_published else None
    post = Post(author=g.who, title=title, body=body, is_published=is_published, published_at=at)
    db.session.add(post)
    db.session.flush()
    if is_published:
        more = update(User).where(User.id == g.who.id).values(post_count=User.post_count + 1)
        db.session.execute(more.execution_options(synchronize_session=False))
        total = update(PostTotal).where(PostTotal.shard == shared.shard())
        total = total.values(published=PostTotal.published + 1)
        db.session.execute(total.execution_options(synchronize_session=False))
    answer = _ok(_post(post), 201)
    answer.headers["Location"] = f"/api/v1/posts/{post.id}"
    db.session.commit()
    return answer


@app.post("/api/v1/auth/login")
def log_in() -> Response:
    given = request.get_json()
    email, password = given["email"], given["password"]
    if not isinstance(email, str) or not isinstance(password, str) or not 8 <= len(password) <= 128:
        abort(400)
    who = db.session.scalar(select(User).where(func.lower(User.email) == email.lower()))
    if who is None or who.status != "active" or not shared.fits(who.password_hash, password):
        abort(401)
    opened = Session(user_id=who.id)
    db.session.add(opened)
    db.session.flush()
    db.session.add(
        RefreshToken(token_hash=shared.refresh_token(), session_id=opened.id, sequence=1)
    )
    db.session.commit()
    token = shared.token_for(who.id, opened.id)
    return _ok({"access_token": token, "token_type": "Bearer", "expires_in": 900})


def _ok(data: Any, status: int = 200) -> Response:
    return Response(
        orjson.dumps({"status": "ok", "data": data}), status, mimetype="application/json"
    )


def _post(post: Post) -> dict[str, Any]:
    return {
        "id": str(post.id),
        "title": post.title,
        "body": post.body,
        "author": {"id": str(post.author.id), "username": post.author.username},
        "is_published": post.is_published,
        "published_at": shared.moment(post.published_at),
        "comment_count": post.comment_count,
        "created_at": shared.moment(post.created_at),
        "updated_at": shared.moment(post.updated_at),
    }


def _bounded(name: str, usual: int) -> int:
    found = request.args.get(name, usual, type=int)
    if not 1 <= found <= 100:
        abort(400)
    return found


for number, other in enumerate(shared.OTHER_PATHS):  # as many routes as Madang has
    app.add_url_rule(other.replace("{id}", "<uuid:id>"), f"other{number}", lambda **_: abort(405))
