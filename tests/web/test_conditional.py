"""Nothing is sent twice, and nobody overwrites what they have not seen."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from tests.auth.flows import at_once
from tests.comments.test_handlers import API, say, write
from tests.people import People, Person

Place = Callable[[], str]
READ = [
    "/posts",
    "/posts?cursor=",
    "{post}",
    "{post}/comments",
    "{comment}",
    "/users",
    "/users/me",
    "/users/{ada}",
    "/users/{bob}",
    "/users/{ada}/posts",
    "/admin/users",
    "/admin/audit-logs",
]
"""A path of every kind of answer, in the order of the contract."""


@pytest.fixture
def places(client: TestClient, ada: Person, bob: Person) -> dict[str, str]:
    post = write(client, ada)
    return {
        "post": post.removeprefix(API),
        "comment": say(client, post, bob).removeprefix(API),
        "ada": str(ada.id),
        "bob": str(bob.id),
    }


@pytest.fixture
def boss(people: People) -> Person:
    return people("boss", role="admin")


def tag_of(client: TestClient, path: str, reader: Person | None = None) -> str:
    return str(client.get(path, headers=reader.auth if reader else {}).headers["ETag"])


def seen(client: TestClient, path: str, tag: str, reader: Person | None = None) -> httpx.Response:
    headers = {"If-None-Match": tag} | (reader.auth if reader else {})
    return client.get(path, headers=headers)


class TestReading:
    @pytest.mark.parametrize("path", READ)
    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    def test_what_is_known_is_not_sent_again(
        self, client: TestClient, places: dict[str, str], boss: Person, path: str, method: str
    ) -> None:
        place = API + path.format(**places)
        first = client.request(method, place, headers=boss.auth)
        known = {"If-None-Match": first.headers["ETag"]}

        again = client.request(method, place, headers=boss.auth | known)

        assert (first.status_code, again.status_code) == (200, 304)
        assert again.headers["ETag"] == first.headers["ETag"]
        assert re.fullmatch(r'"[0-9]+-[0-9a-f]{8}"', first.headers["ETag"])

    @pytest.mark.parametrize(
        ("header", "status"),
        [
            ("{}", 304),
            ("W/{}", 304),  # as a proxy that compresses leaves it
            ('"0-00000000", {}', 304),
            ('W/"x",W/{}', 304),
            ('"x", *', 200),  # a star stands alone
            ("*", 304),
            ('"0-00000000"', 200),
            ('""', 200),
            ("nonsense", 200),
            (",,,", 200),
            ('"{}', 200),
            ("0" * 1000, 200),
        ],
    )
    def test_all_ways_to_say_it(
        self, client: TestClient, places: dict[str, str], header: str, status: int
    ) -> None:
        path = API + places["post"]
        tag = tag_of(client, path)

        assert seen(client, path, header.replace("{}", tag)).status_code == status

    def test_a_counter_makes_another_answer(
        self, client: TestClient, places: dict[str, str], bob: Person
    ) -> None:
        path = API + places["post"]
        before = tag_of(client, path)

        say(client, path, bob)

        assert seen(client, path, before).json()["data"]["comment_count"] == 2
        assert tag_of(client, path) != before

    def test_others_see_another_answer(
        self, client: TestClient, places: dict[str, str], ada: Person
    ) -> None:
        path = f"{API}/users/{ada.id}"

        assert tag_of(client, path) != tag_of(client, path, ada)
        assert seen(client, path, tag_of(client, path), ada).status_code == 200

    def test_what_is_hidden_is_not_there_for_who_knows_its_tag(
        self, client: TestClient, ada: Person, bob: Person
    ) -> None:
        """Z14: the check comes before the comparison."""
        draft = write(client, ada, is_published=False)
        tag = tag_of(client, draft, ada)

        assert seen(client, draft, tag, ada).status_code == 304
        for reader in (bob, None):
            for known in (tag, "*"):
                assert seen(client, draft, known, reader).status_code == 404

    def test_only_what_everybody_sees_may_be_kept(
        self, client: TestClient, places: dict[str, str], ada: Person
    ) -> None:
        path = API + places["post"]
        tag = tag_of(client, path)

        for answer in (client.get(path), seen(client, path, tag)):
            assert answer.headers["Cache-Control"] == "no-cache"
            assert answer.headers["Vary"] == "Authorization, X-API-Key"
        for answer in (client.get(path, headers=ada.auth), seen(client, path, tag, ada)):
            assert answer.headers["Cache-Control"] == "no-store"


MINE: dict[str, tuple[str, dict[str, Any]]] = {
    "a post": ("{post}", {"title": "Another"}),
    "a comment": ("{comment}", {"body": "Another"}),
    "oneself": ("/users/me", {"bio": "Another"}),
    "a person": ("/users/{ada}", {"bio": "Another"}),
}


@pytest.mark.parametrize("what", MINE)
class TestWriting:
    @pytest.fixture
    def path(self, client: TestClient, ada: Person, places: dict[str, str], what: str) -> str:
        own = say(client, API + places["post"], ada).removeprefix(API)
        return API + MINE[what][0].format(**places | {"comment": own})

    @pytest.fixture
    def change(self, client: TestClient, ada: Person, path: str, what: str) -> Any:
        def change(tag: str | None) -> httpx.Response:
            headers = ada.auth | ({} if tag is None else {"If-Match": tag})
            return client.patch(path, json=MINE[what][1], headers=headers)

        return change

    def test_a_stale_one_changes_nothing(
        self, client: TestClient, ada: Person, path: str, change: Any
    ) -> None:
        first = tag_of(client, path, ada)
        second = change(first).headers["ETag"]

        refused = change(first)

        assert refused.status_code == 412
        assert refused.json()["error"]["code"] == "PRECONDITION_FAILED"
        assert tag_of(client, path, ada) == second
        assert change(second).status_code == 200

    @pytest.mark.parametrize(
        ("header", "status"),
        [
            (None, 200),
            ("*", 200),
            ("W/{}", 200),
            ('"7-00000000", {}', 200),
            ('"7-00000000"', 412),
            ('""', 412),
            ('"", {}', 200),
            ('"x", *', 412),
            ('"1-xyz"', 412),
            ("nonsense", 412),
        ],
    )
    def test_all_ways_to_say_it(
        self, client: TestClient, ada: Person, path: str, change: Any, header: str, status: int
    ) -> None:
        tag = tag_of(client, path, ada)

        assert change(header and header.replace("{}", tag)).status_code == status

    def test_goes_for_deleting_too(
        self, client: TestClient, ada: Person, path: str, change: Any
    ) -> None:
        stale = tag_of(client, path, ada)
        fresh = change(None).headers["ETag"]

        for tag, status in ((stale, 412), (fresh, 204)):
            answer = client.delete(path, headers=ada.auth | {"If-Match": tag})
            assert answer.status_code == status

    def test_of_two_at_once_one_wins(
        self, client: TestClient, ada: Person, path: str, change: Any
    ) -> None:
        tag = tag_of(client, path, ada)

        assert sorted(answer.status_code for answer in at_once(2, lambda _: change(tag))) == [
            200,
            412,
        ]


class TestCounters:
    def test_do_not_stand_in_the_way_of_the_author(
        self, client: TestClient, places: dict[str, str], ada: Person, bob: Person
    ) -> None:
        post, me = API + places["post"], f"{API}/users/me"
        tags = {path: tag_of(client, path, ada) for path in (post, me)}

        say(client, post, bob)
        write(client, ada)

        for path, change in ((post, {"title": "Another"}), (me, {"bio": "Another"})):
            headers = ada.auth | {"If-Match": tags[path]}
            assert client.patch(path, json=change, headers=headers).status_code == 200

    def test_who_may_not_is_told_that_first(
        self, client: TestClient, places: dict[str, str], bob: Person
    ) -> None:
        headers = bob.auth | {"If-Match": '"7-00000000"'}

        assert client.delete(API + places["post"], headers=headers).status_code == 403
