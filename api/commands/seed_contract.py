"""What contract-test tools need: people of each role, a post, a draft and comments, always under the same ids and keys.

The ids are those of the contract's examples, so that tools which send the examples find something. Refused in
production: everybody knows these passwords and keys.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

from sqlalchemy import func, update
from sqlalchemy.orm import Session

from api.commands import OPERATOR
from api.commands.seed import PASSWORD, acting, refuse_in_production
from api.comments import service as comments
from api.config import Settings
from api.infra import api_keys
from api.infra.actor import Role
from api.infra.db import db, transactional
from api.models import ApiKey, Comment, Post, User
from api.posts import service as posts
from api.users import service as users

PEOPLE: dict[str, tuple[UUID, Role]] = {
    "member": (UUID("0197f2c0-4e1a-7c3b-9d52-6f1e8a0b4c7d"), "user"),
    "stranger": (UUID("0197f2c0-9b3d-7e60-8c14-7d2f3e4a5b6c"), "user"),
    "moderator": (UUID("0197f2c0-c001-7c3b-9d52-6f1e8a0b4c7d"), "moderator"),
    "admin": (UUID("0197f2c0-c002-7c3b-9d52-6f1e8a0b4c7d"), "admin"),
    "blocked": (UUID("0197f2c0-c003-7c3b-9d52-6f1e8a0b4c7d"), "user"),
}
POST = UUID("0197f2c1-7a30-7d14-8e6b-2b9c4d5e6f70")
DRAFT = UUID("0197f2c1-c001-7d14-8e6b-2b9c4d5e6f70")
COMMENT = UUID("0197f2c3-5c20-7a91-b0d7-3e4f5a6b7c8d")
LIFETIME = timedelta(days=365)


def seed(settings: Settings, *, reset: bool) -> Iterator[str]:
    """Load all of it, or nothing when it is there. *reset*: remove it first, with whatever hangs on it.

    Raises ``Forbidden`` in production.
    """
    refuse_in_production(settings)
    transactional(_load)(db.session(), reset=reset)
    for name, (user_id, role) in PEOPLE.items():
        yield f"{name:9} {user_id} {role:9} {email_of(name)} {PASSWORD} {key_of(name)}"


def email_of(name: str) -> str:
    return f"contract-{name}@example.com"


def key_of(name: str) -> str:
    """As long as a real one, and as well formed."""
    return f"{api_keys.PREFIX}contract-test-{name}-".ljust(len(api_keys.new()), "0")


def _load(session: Session, *, reset: bool) -> None:
    found = [session.get(User, user_id) for user_id, _ in PEOPLE.values()]
    if all(found) and not reset:
        return
    for user in filter(None, found):
        posts.lose_author(session, author=user)
        session.delete(user)
    session.flush()
    for name, (user_id, role) in PEOPLE.items():
        _person(session, name, user_id, role)
    author = acting(PEOPLE["member"][0])
    for post_id, title, is_published in ((POST, "마당에 핀 꽃", True), (DRAFT, "A draft", False)):
        post = posts.create(
            session, author, title=title, body="The first one this year.", is_published=is_published
        )
        _rename(session, Post, post.id, post_id)
    other = acting(PEOPLE["stranger"][0])
    comment = comments.create(session, other, post_id=POST, body="무슨 꽃인가요?")
    _rename(session, Comment, comment.id, COMMENT)


def _person(session: Session, name: str, user_id: UUID, role: Role) -> None:
    user = users.create(
        session,
        OPERATOR,
        email=email_of(name),
        username=f"contract_{name}",
        password=PASSWORD,
        role=role,
    )
    if name == "blocked":
        user.status = name
    session.flush()
    _rename(session, User, user.id, user_id)
    secret = key_of(name)
    key = ApiKey(
        user_id=user_id,
        name="contract test",
        hint=secret[: api_keys.HINT],
        key_hash=api_keys.digest(secret),
        scopes=["read", "write"],
        expires_at=func.now() + LIFETIME,
    )
    session.add(key)
    session.flush()


def _rename(session: Session, kind: type[User | Post | Comment], was: UUID, is_now: UUID) -> None:
    session.execute(
        update(kind)
        .where(kind.id == was)
        .values(id=is_now, updated_at=kind.updated_at, version=kind.version)
        .execution_options(synchronize_session=False)
    )
    session.expunge_all()
