"""People, and things of theirs in every state, for trying who may do what to which."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import jwt
from sqlalchemy import delete, func

from api.app import App
from api.infra import api_keys
from api.infra.db import db
from api.models import ApiKey, Comment, Post, User
from tests.conftest import SECRET
from tests.people import PASSWORD, People, Person

BODIES: dict[str, dict[str, Any]] = {
    "sign_up": {"email": "new@example.com", "username": "newcomer", "password": PASSWORD},
    "log_in": {"email": "nobody@example.com", "password": PASSWORD},
    "update_me": {"bio": "a few words"},
    "create_post": {"title": "t", "body": "b"},
    "update_post": {"title": "t"},
    "create_comment": {"body": "b"},
    "update_comment": {"body": "b"},
    "update_user": {"bio": "a few words"},
    "create_api_key": {"name": "a key", "scopes": ["read"]},
    "block_user": {"reason": "for a test"},
    "change_role": {"role": "user"},
}
"""A valid body for each operation that takes one."""

ACTORS = {
    "anonymous": "anyone",
    "stranger": "user",
    "author": "user",
    "moderator": "moderator",
    "admin": "admin",
    "blocked": None,
    "expired": None,
}
"""What role each kind of caller has; none for those whose token does not count."""


@dataclass(frozen=True)
class Thing:
    """*sees*: who may know of it, if not everybody."""

    id: UUID
    owner: str | None
    post_owner: str | None = None
    sees: frozenset[str] | None = None


NOBODY: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Stage:
    headers: dict[str, dict[str, str]]
    posts: dict[str, Thing]
    comments: dict[str, Thing]
    users: dict[str, Thing]
    keys: dict[str, Thing]


def set_up(app: App, people: People) -> Stage:
    """An author with a post, a draft and comments; a host with a post; all kinds of callers."""
    people("boss", role="admin")  # beside whom even an administrator may go
    cast = {
        "stranger": people("stranger"),
        "author": people("author"),
        "moderator": people("moderator", role="moderator"),
        "admin": people("admin", role="admin"),
        "blocked": people("blocked", status="blocked"),
        "expired": people("expired"),
        "host": people("host"),
    }
    with app.flask.app_context():
        posts, comments = _things(cast)
        gone = _gone(cast["host"])
        key = _key(cast["author"])
        db.session.commit()
    users = {
        "gone": Thing(gone["user"], None, None, NOBODY),
        "person": Thing(cast["author"].id, "author"),  # last: whoever goes can do no more
    }
    posts["gone"] = Thing(gone["post"], None, None, NOBODY)
    comments["gone"] = Thing(gone["comment"], None, None, NOBODY)
    headers = {name: _headers(name, cast) for name in ACTORS}
    return Stage(headers, posts, comments, users, {"one": key})


def _things(cast: dict[str, Person]) -> tuple[dict[str, Thing], dict[str, Thing]]:
    author, host = cast["author"], cast["host"]
    published = _post(author, published=True, comments=1)
    draft = _post(author, published=False, comments=1)
    elsewhere = _post(host, published=True, comments=1)
    posts = {
        "published": Thing(published.id, "author"),
        "draft": Thing(draft.id, "author", None, frozenset({"author"})),
    }
    comments = {
        "on_own_post": Thing(_comment(host, published).id, "host", "author"),
        "elsewhere": Thing(_comment(author, elsewhere).id, "author", "host"),
        "on_draft": Thing(_comment(author, draft).id, "author", "author", frozenset({"author"})),
    }
    return posts, comments


def _post(author: Person, *, published: bool, comments: int) -> Post:
    post = Post(
        author_id=author.id,
        title="서울 draft" if not published else "서울",
        body="a body to find",
        is_published=published,
        published_at=func.now() if published else None,
        comment_count=comments,
    )
    db.session.add(post)
    db.session.get_one(User, author.id).post_count += published
    db.session.flush()
    return post


def _comment(author: Person, post: Post) -> Comment:
    comment = Comment(post_id=post.id, author_id=author.id, body="words")
    db.session.add(comment)
    db.session.flush()
    return comment


def _key(person: Person) -> Thing:
    secret = api_keys.new()
    key = ApiKey(
        user_id=person.id,
        name="a key",
        hint=secret[: api_keys.HINT],
        key_hash=api_keys.digest(secret),
        scopes=["read"],
        expires_at=func.now() + timedelta(days=1),
    )
    db.session.add(key)
    db.session.flush()
    return Thing(key.id, "author", None, frozenset({"author"}))


def _gone(host: Person) -> dict[str, UUID]:
    """What was there, and is not any more."""
    user = User(email="gone@example.com", username="gone", password_hash="!")
    db.session.add(user)
    post = _post(host, published=False, comments=0)
    comment = _comment(host, post)
    ids = {"user": user.id, "post": post.id, "comment": comment.id}
    db.session.execute(delete(User).where(User.id == user.id))
    db.session.execute(delete(Post).where(Post.id == post.id))
    return ids


def _headers(actor: str, cast: dict[str, Person]) -> dict[str, str]:
    common = {"X-Requested-With": "tests"}
    if actor == "anonymous":
        return common
    token = cast[actor].token
    return common | {"Authorization": f"Bearer {expired(token) if actor == 'expired' else token}"}


def expired(token: str) -> str:
    claims = jwt.decode(token, options={"verify_signature": False})
    claims |= {name: claims[name] - 3_600 for name in ("iat", "nbf", "exp")}
    return jwt.encode(claims, SECRET, headers=jwt.get_unverified_header(token))
