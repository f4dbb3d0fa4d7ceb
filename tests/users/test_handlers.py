from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.auth.flows import Query, at_once, code_of
from tests.people import Person

ME = "/api/v1/users/me"
ROW = "SELECT users::text FROM users ORDER BY id"


class TestGetMe:
    def test_anonymous_is_rejected(self, client: TestClient) -> None:
        response = client.get(ME)

        assert (response.status_code, code_of(response)) == (401, "UNAUTHORIZED")
        assert response.headers["WWW-Authenticate"] == 'Bearer realm="madang"'

    def test_shows_all_of_oneself_and_no_secret(self, client: TestClient, ada: Person) -> None:
        account = client.get(ME, headers=ada.auth).json()["data"]

        assert account.keys() == {
            "id", "username", "bio", "created_at", "post_count", "email", "role", "status",
            "updated_at",
        }  # fmt: skip
        assert (account["id"], account["username"]) == (str(ada.id), "ada")
        assert (account["email"], account["bio"]) == ("ada@example.com", None)

    def test_everyone_sees_themselves(self, client: TestClient, ada: Person, bob: Person) -> None:
        names = [
            client.get(ME, headers=person.auth).json()["data"]["username"] for person in (ada, bob)
        ]

        assert names == ["ada", "bob"]


class TestUpdateMe:
    def test_anonymous_is_rejected(self, client: TestClient, ada: Person, query: Query) -> None:
        before = query(ROW)

        assert client.patch(ME, json={"bio": "x"}).status_code == 401
        assert query(ROW) == before

    def test_changes_what_is_named_and_leaves_the_rest(
        self, client: TestClient, ada: Person
    ) -> None:
        before = client.get(ME, headers=ada.auth).json()["data"]

        response = client.patch(ME, json={"bio": "마당에서"}, headers=ada.auth)

        after = response.json()["data"]
        assert response.status_code == 200
        assert after == before | {"bio": "마당에서", "updated_at": after["updated_at"]}
        assert after["updated_at"] > before["updated_at"]
        assert client.get(ME, headers=ada.auth).json()["data"] == after

    def test_nothing_named_changes_nothing(self, client: TestClient, ada: Person) -> None:
        before = client.get(ME, headers=ada.auth).json()["data"]

        assert client.patch(ME, json={}, headers=ada.auth).json()["data"] == before

    def test_null_clears_the_bio(self, client: TestClient, ada: Person) -> None:
        client.patch(ME, json={"bio": "x"}, headers=ada.auth)

        assert client.patch(ME, json={"bio": None}, headers=ada.auth).json()["data"]["bio"] is None

    def test_null_does_not_clear_the_username(self, client: TestClient, ada: Person) -> None:
        response = client.patch(ME, json={"username": None}, headers=ada.auth)

        assert response.status_code == 400
        assert response.json()["error"]["details"].keys() == {"username"}

    def test_posts_show_the_new_name(self, client: TestClient, ada: Person) -> None:
        post = {"title": "t", "body": "b", "is_published": True}
        client.post("/api/v1/posts", json=post, headers=ada.auth)

        client.patch(ME, json={"username": "ada_l"}, headers=ada.auth)

        [found] = client.get("/api/v1/posts").json()["data"]["items"]
        assert found["author"] == {"id": str(ada.id), "username": "ada_l"}

    def test_a_name_of_somebody_else_is_a_conflict(
        self, client: TestClient, ada: Person, bob: Person, query: Query
    ) -> None:
        before = query(ROW)

        response = client.patch(ME, json={"username": "bob", "bio": "x"}, headers=ada.auth)

        assert (response.status_code, code_of(response)) == (409, "USERNAME_TAKEN")
        assert query(ROW) == before

    def test_ones_own_name_is_none(self, client: TestClient, ada: Person) -> None:
        assert client.patch(ME, json={"username": "ada"}, headers=ada.auth).status_code == 200

    def test_two_who_want_one_name_at_once(
        self, client: TestClient, ada: Person, bob: Person, query: Query
    ) -> None:
        people = (ada, bob)

        statuses = at_once(
            2, lambda n: client.patch(ME, json={"username": "eve"}, headers=people[n].auth)
        )

        assert sorted(response.status_code for response in statuses) == [200, 409]
        assert query("SELECT count(*) FROM users WHERE username = 'eve'") == [(1,)]

    @pytest.mark.parametrize(
        "username", ["Ada", "admin", "a", "a" * 31, "ada\n", "\N{CYRILLIC SMALL LETTER A}da", ""]
    )
    def test_a_name_that_nobody_may_have_is_refused(
        self, client: TestClient, ada: Person, query: Query, username: str
    ) -> None:
        """A12: as at sign-up."""
        before = query(ROW)

        assert client.patch(ME, json={"username": username}, headers=ada.auth).status_code == 400
        assert query(ROW) == before

    @pytest.mark.parametrize(
        "protected",
        [
            {"id": "01a20547-abc9-7556-b949-68714accd4b0"},
            {"email": "eve@example.com"},
            {"password": "four quiet magpies"},
            {"password_hash": "x"},
            {"role": "admin"},
            {"status": "blocked"},
            {"post_count": 1000},
            {"created_at": "2020-01-01T00:00:00.000000Z"},
            {"updated_at": "2020-01-01T00:00:00.000000Z"},
            {"is_admin": True},
            {"__class__": "x"},
            {"metadata": {}},
        ],
    )
    def test_what_is_not_theirs_to_set_is_refused(
        self, client: TestClient, ada: Person, query: Query, protected: dict[str, Any]
    ) -> None:
        """Z5."""
        before = query(ROW)

        response = client.patch(ME, json={"bio": "x"} | protected, headers=ada.auth)

        assert response.status_code == 400
        assert response.json()["error"]["details"] == dict.fromkeys(protected, "is not known here")
        assert query(ROW) == before

    @pytest.mark.parametrize("body", [[], "x", 1, None, [{"bio": "x"}]])
    def test_the_body_is_an_object(self, client: TestClient, ada: Person, body: object) -> None:
        assert client.patch(ME, json=body, headers=ada.auth).status_code == 400

    def test_one_cannot_change_another(
        self, client: TestClient, ada: Person, bob: Person, query: Query
    ) -> None:
        """There is no way to name somebody else."""
        client.patch(ME, json={"bio": "x"}, headers=ada.auth)

        assert client.patch(f"{ME}?id={bob.id}", json={}, headers=ada.auth).status_code == 400
        assert query("SELECT bio FROM users WHERE id = :id", id=bob.id) == [(None,)]
