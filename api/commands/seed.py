"""Demo data for a first look. Refused in production: everybody knows these passwords."""

from __future__ import annotations

from uuid import UUID

from api.commands import OPERATOR
from api.config import Settings
from api.errors import Forbidden
from api.infra.actor import Actor
from api.infra.db import db, transactional
from api.posts import service as posts
from api.users import service as users

PASSWORD = "yard-demo-2026!"  # noqa: S105 - told to everybody on purpose
PEOPLE = {
    "demo@example.com": "demo",
    "sora@example.com": "sora_lee",
    "minsu@example.com": "minsu_park",
}
POSTS = (
    (
        "sora@example.com",
        "마당에 오신 것을 환영합니다",
        "여기서는 누구나 글을 쓰고 이야기를 나눌 수 있어요.",
        True,
    ),
    (
        "minsu@example.com",
        "서울에서 보낸 주말",
        "토요일에는 남산을 걷고, 일요일에는 비가 와서 책을 읽었습니다.",
        True,
    ),
    (
        "demo@example.com",
        "Hello from the yard",
        "A yard is where people meet and talk. Say something back!",
        True,
    ),
    (
        "sora@example.com",
        "Notes on contract-first APIs",
        "The contract is written first, and the code follows it.",
        True,
    ),
    ("demo@example.com", "A draft nobody else can see", "Log in as demo to read this one.", False),
)


def seed(settings: Settings) -> list[str]:
    """Load all of it, or nothing when it is there. Raises ``Forbidden`` in production."""
    refuse_in_production(settings)
    if users.by_email(db.session(), "demo@example.com") is None:
        transactional(_load)()
    return [f"Log in as demo@example.com with the password {PASSWORD}"]


def refuse_in_production(settings: Settings) -> None:
    """Raises ``Forbidden``."""
    if settings.environment == "production":
        raise Forbidden({"ENVIRONMENT": "is production, which has no demo data"})


def _load() -> None:
    session = db.session()
    people = {
        email: users.create(session, OPERATOR, email=email, username=name, password=PASSWORD)
        for email, name in PEOPLE.items()
    }
    for email, title, body, is_published in POSTS:
        author = acting(people[email].id)
        posts.create(session, author, title=title, body=body, is_published=is_published)


def acting(user_id: UUID) -> Actor:
    """As if the person had logged in."""
    return Actor(
        user_id=user_id,
        role="user",
        session_id=None,
        scopes=frozenset({"write"}),
        ip="local",
        request_id="command",
    )
