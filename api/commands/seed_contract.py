"""What contract-test tools need: the world that the contract's examples tell of, ids and times included.

A tool that sends the examples finds what they name and is answered as they say. Everybody has a key
that never changes. Refused in production: all the world knows these passwords and keys.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from api.auth import queries as auth
from api.commands import OPERATOR
from api.commands.seed import acting, refuse_in_production
from api.comments import service as comments
from api.config import Settings
from api.infra import api_keys
from api.infra.actor import Role
from api.infra.db import db, transactional
from api.models import ApiKey, Comment, Post, User
from api.posts import service as posts
from api.users import service as users


@dataclass(frozen=True)
class Somebody:
    id: UUID
    email: str
    username: str
    role: Role = "user"
    bio: str | None = None
    updated_at: str = "2026-01-05T09:00:12.530817Z"


PEOPLE = {
    "member": Somebody(
        UUID("0197f2c0-4e1a-7c3b-9d52-6f1e8a0b4c7d"),
        "hana@example.com",
        "hana_kim",
        bio="서울에서 글을 씁니다. Writes about small gardens.",
        updated_at="2026-01-06T18:20:03.004511Z",
    ),
    "stranger": Somebody(
        UUID("0197f2c0-9b3d-7e60-8c14-7d2f3e4a5b6c"), "minjun@example.com", "minjun"
    ),
    "moderator": Somebody(
        UUID("0197f2c0-1110-7c3b-9d52-6f1e8a0b4c7d"),
        "yard_helper@example.com",
        "yard_helper",
        role="moderator",
    ),
    "admin": Somebody(
        UUID("0197f2c0-1111-7c3b-9d52-6f1e8a0b4c7d"),
        "yard_keeper@example.com",
        "yard_keeper",
        role="admin",
    ),
    "blocked": Somebody(
        UUID("0197f2c0-1112-7c3b-9d52-6f1e8a0b4c7d"), "door_to_door@example.com", "door_to_door"
    ),
}
"""By what each is there for."""
PASSWORD = "four quiet magpies"  # noqa: S105 - told to everybody on purpose
JOINED = "2026-01-05T09:00:12.530817Z"
POST = UUID("0197f2c1-7a30-7d14-8e6b-2b9c4d5e6f70")
DRAFT = UUID("0197f2c2-0b11-7e52-a3c4-91d0e2f3a4b5")
FIRST = "오늘 아침 작은 꽃이 피었습니다. The first one this year."
POSTS = (
    (POST, "2026-01-05T09:12:44.120394Z", "마당에 핀 첫 꽃", FIRST),
    (UUID("0197f2c0-d7a1-7d14-8e6b-2b9c4d5e6f70"), "2026-01-05T09:07:02.410002Z", "겨울 마당", "Everything sleeps."),
    (UUID("0197f2c0-8e02-7d14-8e6b-2b9c4d5e6f70"), "2026-01-05T09:03:20.002917Z", "Hello", "안녕하세요, 하나입니다."),
    (DRAFT, "2026-01-05T09:20:01.700125Z", "Notes for spring", "Ask Min-jun about the seeds."),
)  # fmt: skip
COMMENT = UUID("0197f2c3-5c20-7a91-b0d7-3e4f5a6b7c8d")
COMMENT_OF_NOBODY = UUID("0197f2c3-d7e4-7b08-91fa-4f5a6b7c8d9e")
COMMENTS = (
    (COMMENT, "2026-01-05T09:41:30.018223Z", "무슨 꽃인가요? It looks like an adonis."),
    (COMMENT_OF_NOBODY, "2026-01-05T10:02:11.905310Z", "봄이 왔네요."),
)
KEY = UUID("0197f2c5-2b10-7c44-a3e8-5a6b7c8d9e0f")
LIFETIME = timedelta(days=365)


def seed(settings: Settings, *, reset: bool) -> Iterator[str]:
    """Load all of it, or nothing when it is there. *reset*: remove it first, with whatever hangs on it.

    Raises ``Forbidden`` in production, and ``EmailTaken`` or ``UsernameTaken`` where others have those names.
    """
    refuse_in_production(settings)
    transactional(_load)(db.session(), reset=reset)
    for name, person in PEOPLE.items():
        yield f"{name:9} {person.id} {person.role:9} {person.email} {key_of(name)}"
    yield f"The password of each is: {PASSWORD}"


def key_of(name: str) -> str:
    """As long as a real one, and as well formed."""
    return f"{api_keys.PREFIX}contract-test-{name}-".ljust(len(api_keys.new()), "0")


def _load(session: Session, *, reset: bool) -> None:
    if _is_whole(session) and not reset:
        return
    for person in PEOPLE.values():
        if user := session.get(User, person.id):
            users.remove(session, user)
        auth.forget_attempts(session, person.email)
    session.flush()
    for name, person in PEOPLE.items():
        _join(session, name, person)
    _write(session)


def _is_whole(session: Session) -> bool:
    """Nobody and nothing was deleted, and all keys still work."""
    rows = {
        User: {person.id for person in PEOPLE.values()},
        Post: {post[0] for post in POSTS},
        Comment: {comment[0] for comment in COMMENTS},
    }
    hashes = [api_keys.digest(key_of(name)) for name in PEOPLE]
    keys = select(func.count()).where(ApiKey.key_hash.in_(hashes), ApiKey.is_alive())
    return session.scalar(keys) == len(hashes) and all(
        session.scalar(select(func.count()).where(kind.id.in_(ids))) == len(ids)  # type: ignore[attr-defined]
        for kind, ids in rows.items()
    )


def _join(session: Session, name: str, person: Somebody) -> None:
    user = users.create(
        session,
        OPERATOR,
        email=person.email,
        username=person.username,
        password=PASSWORD,
        role=person.role,
    )
    user.bio = person.bio
    user.status = "blocked" if name == "blocked" else "active"
    session.flush()
    _place(session, User, user.id, id=person.id, created_at=JOINED, updated_at=person.updated_at)
    secret = key_of(name)
    key = ApiKey(
        user_id=person.id,
        name="nightly import",
        hint=secret[: api_keys.HINT],
        key_hash=api_keys.digest(secret),
        scopes=["read", "write"],
        expires_at=func.now() + LIFETIME,
    )
    session.add(key)
    session.flush()
    if name == "member":
        at, last = "2026-01-05T11:00:00.000000Z", "2026-01-06T02:00:00.000000Z"
        _place(session, ApiKey, key.id, id=KEY, created_at=at, last_used_at=last)


def _write(session: Session) -> None:
    author = acting(PEOPLE["member"].id)
    for post_id, at, title, body in POSTS:
        is_published = post_id != DRAFT
        post = posts.create(session, author, title=title, body=body, is_published=is_published)
        published = {"published_at": at} if is_published else {}
        _place(session, Post, post.id, id=post_id, created_at=at, updated_at=at, **published)
    for comment_id, at, words in COMMENTS:
        comment = comments.create(session, acting(PEOPLE["stranger"].id), post_id=POST, body=words)
        nobody = {"author_id": None} if comment_id == COMMENT_OF_NOBODY else {}
        _place(session, Comment, comment.id, id=comment_id, created_at=at, updated_at=at, **nobody)


Placed = User | Post | Comment | ApiKey


def _place(session: Session, kind: type[Placed], row: UUID, /, **values: Any) -> None:
    """Where the contract says it is, and when."""
    values = {
        name: datetime.fromisoformat(value) if name.endswith("_at") else value
        for name, value in values.items()
    }
    if "version" in kind.__table__.c:  # else it would move
        values["version"] = kind.__table__.c.version
    statement = update(kind).where(kind.id == row).values(values)
    session.execute(statement.execution_options(synchronize_session=False))
    session.expunge_all()
