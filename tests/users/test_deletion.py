"""An account that goes, and that nothing of it comes back."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import httpx
from starlette.testclient import TestClient

from api.app import App
from tests.auth.flows import (
    Login,
    Query,
    at_once,
    begin,
    code_of,
    cookie_of,
    log_in,
    log_out,
    me,
    meanwhile,
    refresh,
    sign_up,
)
from tests.people import People, Person

ME = "/api/v1/users/me"
POST = {"title": "t", "body": "b", "is_published": True}
ROUNDS = 5

POSTS = "/api/v1/posts"
DRAFT = {"title": "t", "body": "b"}


def gone(client: TestClient, *people: Person) -> list[int]:
    """What those get who delete themselves at once."""
    responses = at_once(len(people), lambda n: client.delete(ME, headers=people[n].auth))
    return sorted(response.status_code for response in responses)


class TestDeleteMe:
    def test_anonymous_is_rejected(self, client: TestClient, ada: Person, query: Query) -> None:
        assert client.delete(ME).status_code == 401
        assert query("SELECT count(*) FROM users") == [(1,)]

    def test_takes_posts_sessions_and_the_cookie_along(
        self, client: TestClient, ada: Person, bob: Person, query: Query
    ) -> None:
        login = begin(client, ada.email)
        for person in (ada, bob):
            client.post("/api/v1/posts", json=POST, headers=person.auth)

        response = client.delete(ME, headers=login.auth)

        assert response.status_code == 204
        assert cookie_of(response) == ""
        client.cookies.clear()
        assert query("SELECT id FROM users") == [(bob.id,)]
        assert query("SELECT author_id FROM posts") == [(bob.id,)]
        assert query("SELECT user_id FROM sessions") == [(bob.id,)]
        assert query("SELECT count(*) FROM refresh_tokens") == [(0,)]

    def test_no_token_of_theirs_counts_any_more(self, client: TestClient, ada: Person) -> None:
        login = begin(client, ada.email)

        client.delete(ME, headers=ada.auth)

        for access in (ada.token, login.access):
            assert me(client, access).status_code == 401
        assert refresh(client, login.refresh).status_code == 401
        assert client.delete(ME, headers=ada.auth).status_code == 401

    def test_the_audit_row_outlives_the_person(
        self, client: TestClient, ada: Person, query: Query
    ) -> None:
        client.delete(ME, headers=ada.auth)

        rows = query("SELECT action, actor_id, target_id FROM audit_logs")
        assert rows == [("user_deleted", ada.id, ada.id)]


class TestTheNameAgain:
    """Z13: who takes a name that was free again is somebody else."""

    def test_inherits_nothing(self, client: TestClient, ada: Person, query: Query) -> None:
        login = begin(client, ada.email)
        draft = {"title": "t", "body": "b"}
        url = client.post("/api/v1/posts", json=draft, headers=ada.auth).headers["Location"]
        client.delete(ME, headers=ada.auth)

        account = sign_up(client, "ada").json()["data"]

        assert account["id"] != str(ada.id)
        assert (account["post_count"], account["bio"], account["role"]) == (0, None, "user")
        for access in (ada.token, login.access):
            assert me(client, access).status_code == 401
        assert refresh(client, login.refresh).status_code == 401
        again = begin(client, ada.email)
        assert client.get(url, headers=again.auth).status_code == 404

    def test_failed_logins_of_the_one_before_still_count(
        self, client: TestClient, ada: Person
    ) -> None:
        """They belong to the address, so that deleting an account is no way to guess on."""
        for _ in range(5):
            body = {"email": ada.email, "password": "not her password"}
            client.post("/api/v1/auth/login", json=body)
        client.delete(ME, headers=ada.auth)
        sign_up(client, "ada")

        body = {"email": ada.email, "password": "not her password"}
        assert client.post("/api/v1/auth/login", json=body).status_code == 429


class TestTheLastAdministrator:
    """Z9, as far as one can delete oneself."""

    def test_cannot_go(self, client: TestClient, people: People, query: Query) -> None:
        root = people("root", role="admin")
        people("moderator_mo", role="moderator")
        people("boss", role="admin", status="blocked")
        before = query("SELECT users::text FROM users ORDER BY id")

        response = client.delete(ME, headers=root.auth)

        assert (response.status_code, code_of(response)) == (409, "LAST_ADMIN")
        assert query("SELECT users::text FROM users ORDER BY id") == before
        assert me(client, root.token).status_code == 200

    def test_one_of_two_can(self, client: TestClient, people: People) -> None:
        root, boss = people("root", role="admin"), people("boss", role="admin")

        assert client.delete(ME, headers=root.auth).status_code == 204
        assert client.delete(ME, headers=boss.auth).status_code == 409

    def test_a_moderator_can(self, client: TestClient, people: People) -> None:
        assert client.delete(ME, headers=people("mo_mo", role="moderator").auth).status_code == 204

    def test_of_two_who_go_at_once_one_stays(
        self, client: TestClient, people: People, query: Query
    ) -> None:
        for number in range(ROUNDS):
            query("DELETE FROM users")
            admins = [people(f"{name}_{number}", role="admin") for name in ("root", "boss")]

            assert gone(client, *admins) == [204, 409]
            assert query("SELECT count(*) FROM users WHERE role = 'admin'") == [(1,)]


class TestAtOnce:
    """Whatever else the person does in that moment, nothing of it is a fault of the service."""

    def test_deleting_twice_happens_once(
        self, client: TestClient, people: People, query: Query
    ) -> None:
        for number in range(ROUNDS):
            ada = people(f"ada_{number}")

            assert gone(client, ada, ada) == [204, 401]
        rows = query("SELECT count(*) FROM audit_logs WHERE action = 'user_deleted'")
        assert rows == [(ROUNDS,)]

    def test_what_waits_for_a_deletion_finds_nobody(
        self, app: App, client: TestClient, people: People, query: Query
    ) -> None:
        calls: dict[str, tuple[int, Callable[[Person, Login], httpx.Response]]] = {
            "changes": (401, lambda p, _: client.patch(ME, json={"bio": "x"}, headers=p.auth)),
            "writes": (401, lambda p, _: client.post(POSTS, json=DRAFT, headers=p.auth)),
            "deletes": (401, lambda p, _: client.delete(ME, headers=p.auth)),
            "logs_in": (401, lambda p, _: log_in(client, p.email)),
            "refreshes": (401, lambda _, login: refresh(client, login.refresh)),
            "logs_out": (401, lambda _, login: log_out(client, login.refresh)),
        }
        for name, (status, call) in calls.items():
            person = people(name)
            login = begin(client, person.email)
            delete = f"DELETE FROM users WHERE username = '{name}'"

            response = meanwhile(query, app, delete, partial(call, person, login))

            assert (name, response.status_code) == (name, status)

    def test_who_logs_in_while_being_blocked_is_not_let_in(
        self, app: App, client: TestClient, ada: Person, query: Query
    ) -> None:
        block = "UPDATE users SET status = 'blocked'"

        response = meanwhile(query, app, block, lambda: log_in(client, ada.email))

        assert (response.status_code, code_of(response)) == (401, "INVALID_CREDENTIALS")
        assert query("SELECT count(*) FROM sessions") == [(1,)]
