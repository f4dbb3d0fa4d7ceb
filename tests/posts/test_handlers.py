from __future__ import annotations

from starlette.testclient import TestClient

from tests.people import People, Person

POST = {"title": "서울에서", "body": "비가 온다", "is_published": True}


class TestCreatePost:
    def test_anonymous_is_rejected(self, client: TestClient) -> None:
        assert client.post("/api/v1/posts", json=POST).status_code == 401

    def test_stores_the_post_and_says_where_it_is(self, client: TestClient, ada: Person) -> None:
        response = client.post("/api/v1/posts", json=POST, headers=ada.auth)

        assert response.status_code == 201
        post = response.json()["data"]
        assert response.headers["Location"] == f"/api/v1/posts/{post['id']}"
        assert client.get(response.headers["Location"]).json()["data"] == post
        assert post["author"] == {"id": str(ada.id), "username": "ada"}
        assert post["published_at"] == post["created_at"]

    def test_is_a_draft_unless_published(self, client: TestClient, ada: Person) -> None:
        draft = {"title": "t", "body": "b"}

        post = client.post("/api/v1/posts", json=draft, headers=ada.auth).json()["data"]

        assert post["is_published"] is False
        assert post["published_at"] is None

    def test_counts_published_posts_of_the_author_only(
        self, client: TestClient, ada: Person
    ) -> None:
        before = client.get("/api/v1/users/me", headers=ada.auth).json()["data"]
        for post in (POST, {"title": "t", "body": "b"}):
            client.post("/api/v1/posts", json=post, headers=ada.auth)

        account = client.get("/api/v1/users/me", headers=ada.auth).json()["data"]

        assert account["post_count"] == 1
        assert account["updated_at"] == before["updated_at"]

    def test_every_fault_is_named_and_nothing_is_stored(
        self, client: TestClient, ada: Person
    ) -> None:
        body = {"title": " \t", "is_published": "yes", "colour": "red"}

        response = client.post("/api/v1/posts", json=body, headers=ada.auth)

        assert response.status_code == 400
        assert response.json()["error"]["details"] == {
            "title": "has a form that is not allowed",
            "body": "is required",
            "is_published": "must be a boolean",
            "colour": "is not known here",
        }
        assert client.get("/api/v1/posts").json()["data"]["total"] == 0


class TestGetPost:
    def test_a_draft_is_there_for_its_author_alone(
        self, client: TestClient, ada: Person, bob: Person
    ) -> None:
        draft = {"title": "t", "body": "b"}
        url = client.post("/api/v1/posts", json=draft, headers=ada.auth).headers["Location"]

        assert client.get(url, headers=ada.auth).status_code == 200
        assert client.get(url, headers=bob.auth).status_code == 404
        assert client.get(url).status_code == 404

    def test_an_unknown_id_is_not_found(self, client: TestClient) -> None:
        response = client.get("/api/v1/posts/01a20547-abc9-7556-b949-68714accd4b0")

        assert response.status_code == 404
        assert response.json()["error"]["code"] == "NOT_FOUND"


class TestListPosts:
    def test_newest_published_first(self, client: TestClient, ada: Person, bob: Person) -> None:
        for number, author in enumerate((ada, bob, ada)):
            post = POST | {"title": str(number)}
            client.post("/api/v1/posts", json=post, headers=author.auth)
        client.post("/api/v1/posts", json={"title": "draft", "body": "b"}, headers=ada.auth)

        page = client.get("/api/v1/posts", headers=ada.auth).json()["data"]

        assert [post["title"] for post in page["items"]] == ["2", "1", "0"]
        assert [post["author"]["username"] for post in page["items"]] == ["ada", "bob", "ada"]
        assert (page["total"], page["page"], page["size"]) == (3, 1, 20)

    def test_pages_are_linked_both_ways(self, client: TestClient, ada: Person) -> None:
        for number in range(5):
            client.post("/api/v1/posts", json=POST | {"title": str(number)}, headers=ada.auth)

        first = client.get("/api/v1/posts?size=2")
        second = client.get(first.json()["data"]["next"])
        third = client.get(second.json()["data"]["next"])

        titles = [
            [post["title"] for post in page.json()["data"]["items"]]
            for page in (first, second, third)
        ]
        assert titles == [["4", "3"], ["2", "1"], ["0"]]
        assert first.links["next"]["url"] == first.json()["data"]["next"]
        assert second.links["prev"]["url"] == second.json()["data"]["prev"]
        assert third.json()["data"]["next"] is None
        assert "next" not in third.links

    def test_the_hundredth_page_has_no_next(self, client: TestClient, people: People) -> None:
        assert client.get("/api/v1/posts?page=100&size=1").json()["data"]["next"] is None

    def test_head_is_get_without_the_body(self, client: TestClient) -> None:
        response = client.head("/api/v1/posts")

        assert response.status_code == 200
        assert response.headers["content-length"] == str(len(client.get("/api/v1/posts").content))
