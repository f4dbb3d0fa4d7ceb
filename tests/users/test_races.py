"""What happens to accounts at once, hundreds of times: never half, never too late, never in a circle."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import httpx
import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from api.app import THREADS, App
from api.infra.db import db
from api.infra.ids import new_id
from tests.admin.acts import block, change_role
from tests.auth.flows import at_once, sign_up
from tests.people import People, Person
from tests.size import size
from tests.web.apps import app_with, client_of

API = "/api/v1"
ME = f"{API}/users/me"
POST = {"title": "t", "body": "b", "is_published": True}
COMMENT = {"body": "b"}
ROUNDS = size(40, 500)
LANES = 2
"""Rounds of one race that go side by side."""
FEW_ROUNDS = size(20, 40)

Query = Callable[..., list[tuple[object, ...]]]
Call = Callable[[], httpx.Response]
Race = Callable[[int], list[Call]]
"""What is done at once in the round of that number."""

LIVING_ADMINS = "SELECT count(*) FROM users WHERE role = 'admin' AND status = 'active'"
DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
WRONG_COUNTS = """
    SELECT 'post', id FROM posts p
    WHERE comment_count <> (SELECT count(*) FROM comments WHERE post_id = p.id)
    UNION ALL SELECT 'user', id FROM users u WHERE post_count <>
        (SELECT count(*) FROM posts WHERE author_id = u.id AND is_published)
    UNION ALL SELECT 'total', NULL WHERE (SELECT sum(published) FROM post_totals) <>
        (SELECT count(*) FROM posts WHERE is_published)
"""
WRITTEN = """
    SELECT id FROM posts WHERE author_id = :who
    UNION ALL SELECT id FROM comments WHERE author_id = :who ORDER BY 1
"""


@dataclass(frozen=True)
class Service:
    """Hardly limits anybody."""

    app: App
    client: TestClient
    query: Query

    def deadlocks(self) -> object:
        """How often PostgreSQL had to end a circle, which it finds after a second only."""
        with self.app.flask.app_context(), ThreadPoolExecutor(THREADS) as pool:
            connections = [db.engine.connect() for _ in range(THREADS)]
            for connection in connections:  # each tells its numbers by and by, if nobody asks
                connection.execute(text("SELECT pg_stat_force_next_flush()"))
                pool.submit(connection.close)
        return self.query(DEADLOCKS)

    def races(
        self, race: Race, rounds: int = ROUNDS, lanes: int = LANES
    ) -> Counter[tuple[int, ...]]:
        """How often the calls of a round were answered in which way; no two of them wait in a circle."""
        before = self.deadlocks()

        def lane(first: int) -> Counter[tuple[int, ...]]:
            return Counter(statuses(race(number)) for number in range(first, rounds, lanes))

        with ThreadPoolExecutor(lanes) as pool:
            seen = sum(pool.map(lane, range(lanes)), Counter[tuple[int, ...]]())
        assert self.deadlocks() == before
        return seen


@pytest.fixture
def service(environment: dict[str, str], clean: None, query: Query) -> Iterator[Service]:
    settings = {"RATE_LIMIT_SCALE": "1000", "LOG_LEVEL": "ERROR"}
    with app_with(environment, **settings) as app, client_of(app) as client:
        yield Service(app, client, query)


def statuses(calls: list[Call]) -> tuple[int, ...]:
    """In the order of the calls."""
    return tuple(at_once(len(calls), lambda number: calls[number]().status_code))


def write(client: TestClient, author: Person) -> str:
    return str(client.post(f"{API}/posts", json=POST, headers=author.auth).headers["Location"])


def comment(client: TestClient, post: str, author: Person) -> httpx.Response:
    answer: httpx.Response = client.post(f"{post}/comments", json=COMMENT, headers=author.auth)
    return answer


def elsewhere(people: People, person: Person) -> Person:
    """The same one, logged in a second time."""
    session_id = new_id()
    with people.app.flask.app_context():
        insert = text("INSERT INTO sessions (id, user_id) VALUES (:id, :user)")
        db.session.execute(insert, {"id": session_id, "user": person.id})
        db.session.commit()
        token = people.app.runtime.tokens.issue(person.id, session_id)
    return replace(person, session_id=session_id, token=token)


@pytest.mark.slow
class TestAccounts:
    def test_two_sign_ups_with_one_name(self, service: Service, query: Query) -> None:
        """X1"""
        seen = service.races(lambda n: [partial(sign_up, service.client, f"ada_{n}")] * 2)

        assert seen.keys() <= {(201, 409), (409, 201)}
        assert query("SELECT count(*), count(DISTINCT username) FROM users") == [(ROUNDS,) * 2]

    def test_two_administrators_block_one_person(
        self, service: Service, people: People, query: Query
    ) -> None:
        root, boss = people("root", role="admin"), people("boss", role="admin")

        def race(number: int) -> list[Call]:
            who = people(f"ada_{number}").id
            return [partial(block, service.client, admin, who) for admin in (root, boss)]

        assert service.races(race) == {(200, 200): ROUNDS}
        audited = "SELECT count(*), count(DISTINCT target_id) FROM audit_logs"
        assert query(audited) == [(ROUNDS,) * 2]
        ended = "SELECT count(*) FROM sessions WHERE end_reason = 'blocked'"
        assert query(ended) == [(ROUNDS,)]


@pytest.mark.slow
class TestTheLastAdministrator:
    """Z9: of two who remove each other one stays."""

    def test_two_demote_each_other(self, service: Service, people: People, query: Query) -> None:
        root, boss = people("root", role="admin"), people("boss", role="admin")
        client, left = service.client, set()

        def race(number: int) -> list[Call]:
            if number:
                left.update(query(LIVING_ADMINS))
            query("UPDATE users SET role = 'admin'")
            return [
                partial(change_role, client, root, boss.id, "user"),
                partial(change_role, client, boss, root.id, "moderator"),
            ]

        assert service.races(race, lanes=1).keys() <= {(200, 403), (403, 200)}
        assert left == set(query(LIVING_ADMINS)) == {(1,)}

    def test_two_block_each_other(self, service: Service, people: People, query: Query) -> None:
        client, left = service.client, set()

        def race(number: int) -> list[Call]:
            if number:
                left.update(query(LIVING_ADMINS))
            query("DELETE FROM users")
            root, boss = (people(f"{name}_{number}", role="admin") for name in ("root", "boss"))
            return [partial(block, client, root, boss.id), partial(block, client, boss, root.id)]

        seen = service.races(race, lanes=1)
        assert seen.keys() <= {(200, 401), (200, 403), (401, 200), (403, 200)}
        assert left == set(query(LIVING_ADMINS)) == {(1,)}


@pytest.mark.slow
class TestWriting:
    def test_commenting_while_posts_and_comments_go(
        self, service: Service, people: People, query: Query
    ) -> None:
        """On a post that is deleted, and on one that loses a comment each time."""
        client, ada, bob = service.client, people("ada"), people("bob")
        kept = write(client, ada)

        def race(_: int) -> list[Call]:
            gone = write(client, ada)
            first = comment(client, kept, bob).headers["Location"]
            return [
                partial(comment, client, gone, ada),
                lambda: client.delete(gone, headers=ada.auth),
                partial(comment, client, gone, bob),
                lambda: client.delete(first, headers=bob.auth),
                partial(comment, client, kept, ada),
            ]

        seen = service.races(race)

        assert {answers[1::2] for answers in seen} == {(204, 204)}
        assert {answers[4] for answers in seen} == {201}
        assert {status for answers in seen for status in answers[0:3:2]} == {201, 404}
        assert query("SELECT comment_count FROM posts") == [(ROUNDS,)]
        assert query("SELECT count(*) FROM comments") == [(ROUNDS,)]
        assert query(WRONG_COUNTS) == []

    def test_nothing_is_stored_after_a_block_was_answered(
        self, service: Service, people: People, query: Query
    ) -> None:
        """Z11: what was being written is stored before that, or refused."""
        client, boss = service.client, people("boss", role="admin")
        post = write(client, boss)
        at_the_answer: dict[Person, list[tuple[object, ...]]] = {}

        def race(number: int) -> list[Call]:
            ada = people(f"ada_{number}")
            there = elsewhere(people, ada)

            def blocked() -> httpx.Response:
                answer = block(client, boss, ada.id)
                at_the_answer[ada] = query(WRITTEN, who=ada.id)
                return answer

            return [
                partial(comment, client, post, ada),
                lambda: client.post(f"{API}/posts", json=POST, headers=there.auth),
                blocked,
                partial(comment, client, post, there),
                lambda: client.post(f"{API}/posts", json=POST, headers=ada.auth),
            ]

        seen = service.races(race)

        assert {answers[2] for answers in seen} == {200}
        wrote = Counter(s for answers in seen.elements() for s in answers[:2] + answers[3:])
        assert wrote.keys() == {201, 401}
        late = [ada for ada, then in at_the_answer.items() if query(WRITTEN, who=ada.id) != then]
        assert late == []
        assert sum(map(len, at_the_answer.values())) == wrote[201]
        assert query(WRONG_COUNTS) == []


@pytest.mark.slow
class TestDeletion:
    """Beside what else takes many locks: nobody waits in a circle, nothing is a fault of the service."""

    def test_of_oneself_twice(self, service: Service, people: People, query: Query) -> None:
        def race(number: int) -> list[Call]:
            ada = people(f"ada_{number}")
            return [deletes(service, who, ME) for who in (ada, elsewhere(people, ada))]

        assert service.races(race, FEW_ROUNDS).keys() <= {(204, 401), (401, 204)}
        assert query("SELECT count(*) FROM users") == [(0,)]

    def test_of_each_other(self, service: Service, people: People, query: Query) -> None:
        people("last", role="admin")

        def race(number: int) -> list[Call]:
            root, boss = (people(f"{name}_{number}", role="admin") for name in ("root", "boss"))
            return [deletes(service, root, url_of(boss)), deletes(service, boss, url_of(root))]

        seen = service.races(race, FEW_ROUNDS)

        assert seen.keys() <= {(204, 401), (401, 204), (204, 403), (403, 204)}
        assert query("SELECT count(*) FROM users") == [(1 + FEW_ROUNDS,)]

    @pytest.mark.parametrize("role", ["user", "admin"])
    def test_of_who_is_blocked(self, service: Service, people: People, role: str) -> None:
        last = people("last", role="admin")

        def race(number: int) -> list[Call]:
            ada = people(f"ada_{number}", role=role)
            return [
                partial(block, service.client, last, ada.id),
                deletes(service, elsewhere(people, ada), ME),
            ]

        assert service.races(race, FEW_ROUNDS).keys() <= {(200, 401), (404, 204), (200, 403)}

    def test_by_who_is_demoted(self, service: Service, people: People) -> None:
        last = people("last", role="admin")

        def race(number: int) -> list[Call]:
            boss, bob = people(f"boss_{number}", role="admin"), people(f"bob_{number}")
            return [
                partial(change_role, service.client, last, boss.id, "user"),
                deletes(service, boss, url_of(bob)),
            ]

        assert service.races(race, FEW_ROUNDS).keys() <= {(200, 204), (200, 403)}

    def test_of_whom_a_moderator_deletes_posts(
        self, service: Service, people: People, query: Query
    ) -> None:
        mo = people("mo_mo", role="moderator")

        def race(number: int) -> list[Call]:
            ada = people(f"ada_{number}")
            posts = [write(service.client, ada) for _ in range(2)]
            return [
                deletes(service, mo, posts[0]),
                deletes(service, ada, ME),
                deletes(service, mo, posts[1]),
            ]

        seen = service.races(race, FEW_ROUNDS)

        assert {answers[1] for answers in seen} == {204}
        assert {status for answers in seen for status in answers[::2]} <= {204, 404}
        assert query(WRONG_COUNTS) == []


def deletes(service: Service, who: Person, url: str) -> Call:
    return lambda: service.client.delete(url, headers=who.auth)


def url_of(person: Person) -> str:
    return f"{API}/users/{person.id}"
