"""Who may do what a role is asked for, whichever operation asks."""

from __future__ import annotations

from uuid import uuid4

import pytest

from api.errors import Forbidden, Unauthorized
from api.infra.actor import Actor, Role, anonymous
from api.web.contract import Policy
from api.web.identity import require


def somebody(role: Role) -> Actor:
    return Actor(
        user_id=uuid4(),
        role=role,
        session_id=uuid4(),
        scopes=frozenset(),
        ip="local",
        request_id="test",
    )


@pytest.mark.parametrize("role", ["user", "moderator", "admin"])
def test_anonymous_is_asked_to_log_in(role: str) -> None:
    with pytest.raises(Unauthorized):
        require(anonymous("local", "test"), Policy(role))


@pytest.mark.parametrize(
    ("role", "asked"), [("user", "moderator"), ("user", "admin"), ("moderator", "admin")]
)
def test_a_lower_role_is_refused(role: Role, asked: str) -> None:
    with pytest.raises(Forbidden):
        require(somebody(role), Policy(asked))


@pytest.mark.parametrize(
    ("role", "asked"),
    [("user", "user"), ("moderator", "user"), ("admin", "moderator"), ("admin", "admin")],
)
def test_the_same_or_a_higher_one_is_enough(role: Role, asked: str) -> None:
    require(somebody(role), Policy(asked))
    require(anonymous("local", "test"), Policy("anyone"))
