from __future__ import annotations

from starlette.testclient import TestClient

from tests.people import People, Person

API = "/api/v1"
PUBLIC = {"id", "username", "bio", "created_at", "post_count"}
PRIVATE = PUBLIC | {"email", "role", "status", "updated_at"}
NOBODY = "01a20547-abc9-7556-b949-68714accd4b0"


class TestGetUser:
    def test_strangers_see_what_is_public(
        self, client: TestClient, ada: Person, bob: Person
    ) -> None:
        url = f"{API}/users/{ada.id}"

        assert client.get(url).json()["data"].keys() == PUBLIC
        assert client.get(url, headers=bob.auth).json()["data"].keys() == PUBLIC

    def test_oneself_and_administrators_see_all(
        self, client: TestClient, people: People, ada: Person
    ) -> None:
        url = f"{API}/users/{ada.id}"

        assert client.get(url, headers=ada.auth).json()["data"].keys() == PRIVATE
        admin = people("boss_1", role="admin")
        assert client.get(url, headers=admin.auth).json()["data"].keys() == PRIVATE

    def test_who_is_blocked_stays_readable(self, client: TestClient, people: People) -> None:
        blocked = people("blocked_one", status="blocked")

        assert client.get(f"{API}/users/{blocked.id}").status_code == 200
        assert client.get(f"{API}/users/{NOBODY}").status_code == 404
        assert client.get(f"{API}/users/{NOBODY}/posts").status_code == 404


class TestListUsers:
    def test_finds_by_the_beginning_of_a_name(self, client: TestClient, people: People) -> None:
        for name in ("ann_lee", "anna", "ann9", "bea", "axnn"):
            people(name)

        page = client.get(f"{API}/users?username=ann").json()["data"]
        wildcard = client.get(f"{API}/users?username=a_n").json()["data"]

        assert [user["username"] for user in page["items"]] == ["ann9", "ann_lee", "anna"]
        assert page["total"] == 3
        assert all(user.keys() == PUBLIC for user in page["items"])
        assert wildcard["items"] == []

    def test_everybody_in_pages(self, client: TestClient, ada: Person, bob: Person) -> None:
        first = client.get(f"{API}/users?size=1").json()["data"]

        assert [user["username"] for user in first["items"]] == ["ada"]
        assert first["total"] == 2
        assert client.get(first["next"]).json()["data"]["items"][0]["username"] == "bob"


class TestUpdateUser:
    def test_is_for_oneself_and_administrators(
        self, client: TestClient, people: People, ada: Person, bob: Person
    ) -> None:
        url, admin = f"{API}/users/{ada.id}", people("boss_1", role="admin")

        assert client.patch(url, json={"bio": "x"}).status_code == 401
        assert client.patch(url, json={"bio": "x"}, headers=bob.auth).status_code == 403
        mine = client.patch(url, json={"bio": "me"}, headers=ada.auth)
        assert mine.json()["data"]["bio"] == "me"
        theirs = client.patch(url, json={"username": "ada_l"}, headers=admin.auth)
        assert theirs.json()["data"]["username"] == "ada_l"
        unknown = client.patch(f"{API}/users/{NOBODY}", json={"bio": "x"}, headers=admin.auth)
        assert unknown.status_code == 404

    def test_a_name_is_taken_once(self, client: TestClient, ada: Person, bob: Person) -> None:
        answer = client.patch(f"{API}/users/{ada.id}", json={"username": "bob"}, headers=ada.auth)

        assert answer.json()["error"]["code"] == "USERNAME_TAKEN"


class TestDeleteUser:
    def test_is_for_oneself_and_administrators(
        self, client: TestClient, people: People, ada: Person, bob: Person
    ) -> None:
        admin = people("boss_1", role="admin")

        assert client.delete(f"{API}/users/{ada.id}", headers=bob.auth).status_code == 403
        assert client.delete(f"{API}/users/{ada.id}", headers=admin.auth).status_code == 204
        assert client.get(f"{API}/users/me", headers=ada.auth).status_code == 401
        assert client.delete(f"{API}/users/{bob.id}", headers=bob.auth).status_code == 204
        assert client.delete(f"{API}/users/{ada.id}", headers=admin.auth).status_code == 404
        last = client.delete(f"{API}/users/{admin.id}", headers=admin.auth)
        assert last.json()["error"]["code"] == "LAST_ADMIN"
