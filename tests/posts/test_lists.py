"""Lists of posts, and of what else goes by numbered pages or by a cursor."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from starlette.testclient import TestClient

from api.app import App
from api.infra.cursors import Cursors
from tests.conftest import SECRET
from tests.memory import forget_all
from tests.people import People, Person
from tests.posts.conftest import POSTS, Shelf, data, titles, walk
from tests.service.plans import listening
from tests.web.apps import serving

NEW_SECRET = "another signing key of 32 bytes or more"

# Created in this order, published in another one; two at the very same time.
YARD = {
    "a": ("2026-01-05T09:00:00.000001Z", "2026-01-09T09:00:00Z"),
    "b": ("2026-01-05T09:00:00.000002Z", "2026-01-06T09:00:00Z"),
    "c": ("2026-01-05T09:00:00.000002Z", "2026-01-06T09:00:00Z"),
    "d": ("2026-01-05T09:00:01Z", "2026-01-08T09:00:00Z"),
    "e": ("2026-02-01T00:00:00Z", "2026-02-01T00:00:00Z"),
}
ORDERS = {
    "-published_at": "eadcb",
    "published_at": "bcdae",
    "-created_at": "edcba",
    "created_at": "abcde",
    "relevance": "eadcb",
}


@pytest.fixture
def yard(shelf: Shelf, ada: Person) -> None:
    for title, (created, published) in YARD.items():
        shelf.put(ada, title, created=created, published=published)


@pytest.fixture
def drafts(shelf: Shelf, ada: Person, bob: Person) -> None:
    shelf.put(ada, "mine 1", created="2026-01-05T09:00:00Z", is_draft=True)
    shelf.put(ada, "mine 2", "서울", created="2026-01-06T09:00:00Z", is_draft=True)
    shelf.put(bob, "theirs", "서울", is_draft=True)
    shelf.put(ada, "published", "서울")


def cursor_of(found: dict[str, Any]) -> str:
    [cursor] = parse_qs(urlsplit(found["next"]).query)["cursor"]
    return cursor


@pytest.mark.usefixtures("yard")
class TestNumberedPages:
    def test_are_linked_in_the_body_and_in_the_header(self, client: TestClient) -> None:
        answer = client.get(POSTS, params={"page": 2, "size": 2, "sort": "created_at"})

        found = answer.json()["data"]
        assert (titles(found), found["page"], found["size"], found["total"]) == ("cd", 2, 2, 5)
        assert found["next"] == f"{POSTS}?page=3&size=2&sort=created_at"
        assert found["prev"] == f"{POSTS}?page=1&size=2&sort=created_at"
        assert answer.headers["Link"] == (
            f'<{found["next"]}>; rel="next", <{found["prev"]}>; rel="prev"'
        )

    def test_end_where_nothing_follows(self, client: TestClient) -> None:
        only = client.get(POSTS)
        last, beyond = (data(client, POSTS, page=page, size=2) for page in (3, 4))

        assert "Link" not in only.headers
        assert (titles(last), last["next"]) == ("b", None)
        assert (titles(beyond), beyond["next"], beyond["total"]) == ("", None, 5)

    @pytest.mark.parametrize(("sort", "order"), ORDERS.items())
    def test_come_in_each_order(self, client: TestClient, sort: str, order: str) -> None:
        """Without a search, relevance is the newest first."""
        pages = [data(client, POSTS, sort=sort, size=2, page=page) for page in (1, 2, 3)]

        assert "".join(map(titles, pages)) == order


@pytest.mark.usefixtures("yard")
class TestCursor:
    def test_begins_empty_and_ends_with_no_next(self, client: TestClient) -> None:
        first = client.get(POSTS, params={"cursor": "", "size": 3})
        begun = first.json()["data"]
        ended = data(client, begun["next"])

        assert (titles(begun), titles(ended)) == ("ead", "cb")
        for part in (begun, ended):
            assert (part["page"], part["total"], part["prev"], part["size"]) == (
                None,
                None,
                None,
                3,
            )
        assert ended["next"] is None
        assert first.headers["Link"] == f'<{begun["next"]}>; rel="next"'

    @pytest.mark.parametrize("size", [1, 2, 3, 5])
    @pytest.mark.parametrize(("sort", "order"), ORDERS.items())
    def test_walks_in_each_order(
        self, client: TestClient, sort: str, order: str, size: int
    ) -> None:
        """Past those of the same time too."""
        found = walk(client, POSTS, sort=sort, size=size)

        assert "".join(post["title"] for post in found) == order

    def test_wins_over_the_page(self, client: TestClient) -> None:
        begun = data(client, POSTS, cursor="", page=2, size=2)
        again = data(client, POSTS, cursor=cursor_of(begun), page=1, size=1)

        assert (titles(begun), begun["page"]) == ("ea", None)
        assert (titles(again), again["page"], again["size"]) == ("d", None, 1)

    def test_remembers_filters_and_order(self, client: TestClient, ada: Person) -> None:
        narrowed: dict[str, Any] = {
            "sort": "created_at",
            "author_id": str(ada.id),
            "created_after": "2026-01-05T09:00:00.000001Z",
            "created_before": "2026-02-01T00:00:00Z",
        }
        begun = data(client, POSTS, cursor="", size=1, **narrowed)
        cursor = cursor_of(begun)

        alone = data(client, POSTS, cursor=cursor, size=2)
        repeated = data(client, POSTS, cursor=cursor, size=2, **narrowed)

        assert (titles(begun), titles(alone), alone["next"]) == ("b", "cd", None)
        assert repeated == alone

    @pytest.mark.parametrize(
        "other",
        [
            {"sort": "created_at"},
            {"sort": "-published_at"},
            {"author_id": "0197f2c0-4e1a-7c3b-9d52-6f1e8a0b4c7d"},
            {"created_after": "2026-01-05T09:00:00Z"},
            {"is_published": "false"},
            {"q": "b"},
        ],
        ids=lambda other: next(iter(other)),
    )
    def test_goes_with_no_other_filter_or_order(
        self, client: TestClient, other: dict[str, str]
    ) -> None:
        cursor = cursor_of(data(client, POSTS, cursor="", size=1, sort="-created_at"))

        refused(client, POSTS, cursor=cursor, **other)

    def test_goes_with_no_other_list(self, client: TestClient, ada: Person, bob: Person) -> None:
        own = f"/api/v1/users/{ada.id}/posts"
        everybodys, adas = (
            cursor_of(data(client, path, cursor="", size=1)) for path in (POSTS, own)
        )

        refused(client, own, cursor=everybodys)
        refused(client, POSTS, cursor=adas)
        refused(client, f"/api/v1/users/{bob.id}/posts", cursor=adas)
        refused(client, "/api/v1/users", cursor=everybodys)
        assert titles(data(client, own, cursor=adas)) == "adcb"

    def test_is_refused_when_it_was_not_made_here(self, client: TestClient) -> None:
        cursor = cursor_of(data(client, POSTS, cursor="", size=1))
        said, _, signature = cursor.rpartition(".")
        note = {"list": POSTS, "given": {}}

        changed = "B" if cursor[5] == "A" else "A"
        forged = [cursor[:5] + changed + cursor[6:], said, f"{said}.", f".{signature}", cursor[1:]]
        forged += [".", "-", "A" * 2_000, Cursors((NEW_SECRET,)).write(note, ())]
        for each in forged:
            refused(client, POSTS, cursor=each)

    @pytest.mark.parametrize("cursor", ["=", "a b", "ㄱ", "'", "A" * 2_001])
    def test_of_letters_that_none_has_is_invalid(self, client: TestClient, cursor: str) -> None:
        answer = client.get(POSTS, params={"cursor": cursor})

        assert answer.status_code == 400
        assert answer.json()["error"]["details"].keys() == {"cursor"}

    def test_outlives_a_change_of_the_signing_key(
        self, client: TestClient, environment: dict[str, str]
    ) -> None:
        """Until the key before is taken away."""
        path = data(client, POSTS, cursor="", size=1)["next"]
        new = {"JWT_SECRET_KEY": NEW_SECRET}

        with serving(environment, **new, JWT_SECRET_KEY_PREVIOUS=SECRET) as during:
            assert titles(data(during, path)) == "a"
        with serving(environment, **new) as after:
            assert after.get(path).json()["error"]["code"] == "CURSOR_UNKNOWN"


def refused(client: TestClient, path: str, **params: str) -> None:
    answer = client.get(path, params=params)
    assert answer.status_code == 404, f"{params}: {answer.text}"
    assert answer.json()["error"]["code"] == "CURSOR_UNKNOWN"


@pytest.mark.usefixtures("yard")
class TestFilters:
    @pytest.mark.parametrize(
        ("narrowed", "found"),
        [
            ("created_after=2026-01-05T09:00:00.000001Z", "bcde"),
            ("created_after=2026-01-05T09:00:00.000002Z", "de"),
            ("created_after=2026-01-05T18:00:00.000001%2B09:00", "bcde"),
            ("created_after=2026-01-05T03:30:00.000002-05:30", "de"),
            ("created_before=2026-01-05T09:00:00.000002Z", "a"),
            ("created_before=2026-01-05T09:00:00.000001Z", ""),
            ("created_before=2026-01-05T18:00:01%2B09:00", "abc"),
            ("created_after=2026-01-05T09:00:00Z&created_before=2026-01-05T09:00:01Z", "abc"),
            ("created_after=2026-02-01T00:00:00Z&created_before=2026-01-01T00:00:00Z", ""),
        ],
    )
    def test_by_time_leave_out_the_moment_itself(
        self, client: TestClient, narrowed: str, found: str
    ) -> None:
        part = data(client, f"{POSTS}?sort=created_at&{narrowed}")

        assert (titles(part), part["total"]) == (found, len(found))

    def test_stay_in_the_links(self, client: TestClient) -> None:
        """The plus of an offset as well, which a URL would have for a space."""
        narrowed = "created_after=2026-01-05T18:00:00.000001%2B09:00&sort=created_at"
        first = data(client, f"{POSTS}?{narrowed}&size=3")

        assert (titles(first), titles(data(client, first["next"]))) == ("bcd", "e")
        assert first["total"] == 4

    def test_by_author_and_by_nobody(self, client: TestClient, shelf: Shelf, bob: Person) -> None:
        shelf.put(bob, "f")
        nobody = "0197f2c0-4e1a-7c3b-9d52-6f1e8a0b4c7d"

        assert titles(data(client, POSTS, author_id=str(bob.id))) == "f"
        assert data(client, POSTS, author_id=nobody)["total"] == 0

    def test_together_leave_what_all_of_them_leave(
        self, client: TestClient, shelf: Shelf, ada: Person, bob: Person
    ) -> None:
        shelf.put(bob, "seoul", created="2026-01-07T00:00:00Z")
        wanted = shelf.put(ada, "seoul", created="2026-01-07T00:00:00Z")
        shelf.put(ada, "seoul", created="2026-01-08T00:00:00Z")

        narrowed: dict[str, Any] = {
            "author_id": str(ada.id),
            "created_before": "2026-01-08T00:00:00Z",
        }
        found = data(client, POSTS, q="seo", **narrowed)

        assert [post["id"] for post in found["items"]] == [wanted]
        assert found["total"] == 1


@pytest.mark.usefixtures("drafts")
class TestDrafts:
    def test_are_listed_to_their_author_alone(
        self, client: TestClient, people: People, ada: Person, bob: Person
    ) -> None:
        def listed(who: Person | None, **params: Any) -> tuple[str, int]:
            found = data(client, POSTS, who, is_published="false", **params)
            return titles(found), found["total"]

        assert listed(ada) == ("mine 2mine 1", 2)
        assert listed(ada, sort="published_at") == ("mine 1mine 2", 2)
        assert listed(bob) == ("theirs", 1)
        for nobody in (None, people("eve"), people("boss", role="admin")):
            assert listed(nobody) == ("", 0)

    def test_are_narrowed_by_words_and_author(
        self, client: TestClient, ada: Person, bob: Person
    ) -> None:
        def listed(who: Person | None, **params: Any) -> list[str]:
            found = data(client, POSTS, who, is_published="false", **params)
            assert found["total"] == len(found["items"])
            return [post["title"] for post in found["items"]]

        assert listed(ada, q="서울") == ["mine 2"]
        assert listed(ada, q="서울", sort="relevance") == ["mine 2"]
        assert listed(None, q="서울") == []
        assert listed(ada, author_id=str(ada.id)) == ["mine 2", "mine 1"]
        assert listed(ada, author_id=str(bob.id)) == []
        assert listed(bob, author_id=str(ada.id), q="서울") == []

    def test_are_walked_through_by_whoever_wrote_them(
        self, client: TestClient, ada: Person, bob: Person
    ) -> None:
        """The cursor of somebody else opens nothing."""
        found = walk(client, POSTS, ada, is_published="false", size=1)
        begun = data(client, POSTS, ada, is_published="false", size=1, cursor="")

        assert [post["title"] for post in found] == ["mine 2", "mine 1"]
        assert all(
            "mine" not in post["title"] for post in data(client, begun["next"], bob)["items"]
        )
        assert data(client, begun["next"])["items"] == []

    def test_are_in_no_list_of_what_is_published(self, client: TestClient, ada: Person) -> None:
        for path in (POSTS, f"{POSTS}?is_published=true", f"/api/v1/users/{ada.id}/posts"):
            found = data(client, path, ada)
            assert (titles(found), found["total"]) == ("published", 1)


class TestTotal:
    def test_without_a_filter_is_the_counter(
        self, client: TestClient, shelf: Shelf, ada: Person
    ) -> None:
        """However many there are; negative parts of it count too."""
        shelf.put(ada)
        shelf.query("INSERT INTO post_totals VALUES (1, 12000), (2, -1)")

        assert data(client, POSTS)["total"] == 12_000
        assert data(client, POSTS, is_published="true")["total"] == 12_000
        assert data(client, POSTS, author_id=str(ada.id))["total"] == 1

    def test_with_a_filter_is_null_where_nobody_could_go_by_numbers(
        self, client: TestClient, shelf: Shelf, ada: Person
    ) -> None:
        author: dict[str, Any] = {"author_id": str(ada.id)}
        shelf.put_many(ada, 10_000)
        assert data(client, POSTS, **author)["total"] == 10_000
        shelf.put(ada)

        assert data(client, POSTS, **author)["total"] is None
        assert data(client, POSTS)["total"] == 10_001


class TestOtherLists:
    def test_people_are_walked_through_by_their_names(
        self, client: TestClient, people: People
    ) -> None:
        names = ["ann9", "ann_b", "anna", "bea_1", "zoe"]
        for name in reversed(names):
            people(name)

        def walked(**params: Any) -> list[str]:
            return [user["username"] for user in walk(client, "/api/v1/users", size=2, **params)]

        assert walked() == names
        assert walked(username="ann") == names[:3]

    def test_comments_are_walked_through_from_the_oldest_on(
        self, client: TestClient, shelf: Shelf, ada: Person
    ) -> None:
        post = shelf.put(ada)
        shelf.query(
            "INSERT INTO comments (id, post_id, author_id, body, created_at) "
            "SELECT gen_random_uuid(), :post, :author, n::text, to_timestamp(n / 3) "
            "FROM generate_series(1, 9) n",
            post=post,
            author=ada.id,
        )
        shelf.query("UPDATE posts SET comment_count = 9")

        found = walk(client, f"{POSTS}/{post}/comments", size=2)

        keys = [(comment["created_at"], comment["id"]) for comment in found]
        assert keys == sorted(keys)
        assert len(set(keys)) == 9


LISTS = {
    "posts": POSTS,
    "a walk": f"{POSTS}?cursor=",
    "a search": f"{POSTS}?q=post",
    "by relevance": f"{POSTS}?q=post&sort=relevance",
    "drafts": f"{POSTS}?is_published=false",
    "of a person": "/api/v1/users/{boss}/posts",
    "comments": f"{POSTS}/{{post}}/comments",
    "people": "/api/v1/users",
    "accounts": "/api/v1/admin/users",
    "audit": "/api/v1/admin/audit-logs",
}
MANY_OF_ALL = """
UPDATE posts SET is_published = false FROM users WHERE users.id = author_id AND username = 'author_0';
UPDATE posts SET author_id = :boss WHERE NOT is_published OR title LIKE '%1';
INSERT INTO comments (id, post_id, author_id, body)
SELECT gen_random_uuid(), :post, id, 'c' FROM users;
INSERT INTO audit_logs (id, action, actor_id, ip, request_id)
SELECT gen_random_uuid(), 'authz_admin', id, 'i', 'r' FROM users
"""


@pytest.mark.parametrize("path", LISTS.values(), ids=list(LISTS))
def test_a_list_of_100_takes_as_many_statements_as_a_list_of_one(
    app: App, client: TestClient, people: People, shelf: Shelf, path: str
) -> None:
    """It asks for nothing row by row."""
    boss = people("boss", role="admin")
    for number in range(5):
        shelf.put_many(people(f"author_{number}"), 25)
    post = shelf.put(boss)
    shelf.query(MANY_OF_ALL, boss=boss.id, post=post)

    counts, sizes = [], []
    for size in (1, 100):
        forget_all(shelf.redis)  # the second time nothing is to come out of the cache
        with listening(app) as asked:
            shown = path.format(boss=boss.id, post=post)
            found = data(client, shown + ("&" if "?" in path else "?") + f"size={size}", boss)
        counts.append(len(asked.statements))
        sizes.append(len(found["items"]))

    assert counts[0] == counts[1] <= 5
    assert sizes[0] == 1 < 5 <= sizes[1]
