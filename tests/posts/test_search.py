"""What people find by what they type."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis
from starlette.testclient import TestClient

from api.app import App
from api.infra.db import db
from api.posts.hits import FEW_HITS
from api.posts.search import MOST_TERMS
from tests.memory import forget_all
from tests.people import People, Person
from tests.posts.conftest import Shelf
from tests.service.plans import listening

POSTS = "/api/v1/posts"
Query = Callable[..., list[tuple[object, ...]]]
Find = Callable[..., list[str]]

YARD = {
    "weekend": (
        "서울에서 보낸 주말",
        "토요일에는 남산을 걷고, 일요일에는 비가 와서 책을 읽었습니다.",
    ),
    "flower": ("마당에 핀 첫 꽃", "오늘 아침 작은 꽃이 피었습니다. The first one this year."),
    "garden": ("The Gardener", "Rain in the yard; we talked about 100% cotton and snake_case."),
    "busan": ("부산 여행", "바다를 보러 갔다. 다음에는 서울 여행을 하고 싶다."),
    "code": (
        "Notes on C++ and rock & roll",
        "ＷＩＤＥ letters, a plan b, don't panic, foo-bar@example.org",
    ),
}


@pytest.fixture
def find(client: TestClient, ada: Person) -> Find:
    """The names of what is found, in its order."""
    names = {}
    for name, (title, body) in YARD.items():
        sent = {"title": title, "body": body, "is_published": True}
        created = client.post(POSTS, json=sent, headers=ada.auth)
        names[created.json()["data"]["id"]] = name

    def ask(q: str, **params: str) -> list[str]:
        answer = client.get(POSTS, params={"q": q, **params})
        assert answer.status_code == 200, answer.text
        data = answer.json()["data"]
        assert data["total"] == len(data["items"])
        return [names[item["id"]] for item in data["items"]]

    return ask


@pytest.mark.parametrize("number", [FEW_HITS, FEW_HITS + 1])
def test_few_hits_and_many_are_listed_alike(
    client: TestClient, ada: Person, shelf: Shelf, number: int
) -> None:
    """Few are remembered from being counted, many are searched for once more."""
    shelf.put_many(ada, number, "a magpie")

    numbered = [found(client, page=page, size=67) for page in (1, 2, 3, 4)]
    walked = list(walk(client, size=67))

    titles = [f"post {each}" for each in range(1, number + 1)]
    assert [title for part in numbered for title in part["items"]] == titles
    assert {part["total"] for part in numbered} == {number}
    assert walked == titles


def found(client: TestClient, **params: int | str) -> dict[str, Any]:
    data: dict[str, Any] = client.get(POSTS, params={"q": "magpie", **params}).json()["data"]
    return {**data, "items": [item["title"] for item in data["items"]]}


def walk(client: TestClient, size: int) -> Iterator[str]:
    part = found(client, cursor="", size=size)
    yield from part["items"]
    while part["next"]:
        data = client.get(part["next"]).json()["data"]
        part = {**data, "items": [item["title"] for item in data["items"]]}
        yield from part["items"]


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("서울", {"weekend", "busan"}),  # with and without a particle
        ("서울에", {"weekend"}),
        ("여행", {"busan"}),
        ("꽃", {"flower"}),
        ("읽었습", {"weekend"}),
        ("었습니", {"weekend", "flower"}),  # three syllables in the middle of a word
        ("습니", set()),  # two are not enough
        ("garden", {"garden"}),
        ("GARDEN", {"garden"}),
        ("ardene", {"garden"}),
        ("rd", set()),
        ("a", {"code"}),  # one letter is a word of its own
        ("wide", {"code"}),
        ("ｗｉｄｅ", {"code"}),
        (unicodedata.normalize("NFD", "서울"), {"weekend", "busan"}),
        ("yard rain", {"garden"}),
        ("yard flower", set()),
        ("서울 비가", {"weekend"}),
    ],
)
def test_words_begin_words_and_long_ones_stand_in_the_middle_too(
    find: Find, q: str, found: set[str]
) -> None:
    assert set(find(q)) == found


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ('"서울 여행을"', {"busan"}),
        ('"여행을 서울"', set()),
        ('"서울"', {"busan"}),  # just so, without a particle
        ('"in the yard"', {"garden"}),
        ('"in the yard', {"garden"}),  # never closed
        ('the "first one"', {"flower"}),
        ("서울 -여행", {"weekend"}),
        ("서울 -바다", {"weekend"}),
        ('서울 -"서울 여행을"', {"weekend"}),
        ("-서울", {"flower", "garden", "code"}),
        ("-서울 -the -notes", set()),
        ("-nothing", set(YARD)),
    ],
)
def test_phrases_stand_just_so_and_minus_leaves_out(find: Find, q: str, found: set[str]) -> None:
    assert set(find(q)) == found


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("C++", {"code"}),
        ("rock & roll", {"code"}),
        ("rock | nothing", set()),  # both words, whatever stands between them
        ("!(rock) <-> roll:*", {"code"}),
        ("don't", {"code"}),
        ("foo-bar@example.org", {"code"}),
        ("100%", {"garden"}),
        ("nake_cas", {"garden"}),
        ("nake%cas", set()),
        ("snake_case", {"garden"}),
        ("snakeXcase", set()),
        ("s__ke", set()),
        ("%%%", set()),
        ("\\", set()),
        ("''", set()),
        ('"', set()),
        ("-", set()),
        ("🌸", set()),
        (" ", set()),
        ("yard 🌸 !!", {"garden"}),
    ],
)
def test_everything_else_is_punctuation(find: Find, q: str, found: set[str]) -> None:
    assert set(find(q)) == found


def test_the_first_ten_terms_count(find: Find) -> None:
    assert find("the in yard we rain talked about and gardener 100 nothing") == ["garden"]
    assert find("the in yard we rain talked about and gardener nothing 100") == []


def test_what_is_in_a_draft_is_found_by_its_author_alone(
    client: TestClient, find: Find, ada: Person, bob: Person
) -> None:
    client.post(POSTS, json={"title": "서울 secret", "body": "hidden"}, headers=ada.auth)

    def titles(who: Person | None, **params: str) -> set[str]:
        headers = who.auth if who else {}
        answer = client.get(POSTS, params={"q": "secret", **params}, headers=headers)
        return {item["title"] for item in answer.json()["data"]["items"]}

    assert titles(ada, is_published="false") == {"서울 secret"}
    assert titles(ada) == titles(bob, is_published="false") == titles(None) == set()
    assert titles(None, is_published="false") == titles(bob, sort="relevance") == set()


class TestOrder:
    def test_the_newest_is_first(self, find: Find) -> None:
        assert find("서울") == ["busan", "weekend"]
        assert find("서울", sort="published_at") == ["weekend", "busan"]

    def test_by_relevance_a_title_counts_more(self, find: Find) -> None:
        assert find("서울", sort="relevance") == ["weekend", "busan"]
        assert find("여행", sort="relevance") == ["busan"]
        assert find("-서울", sort="relevance") == ["code", "garden", "flower"]  # all the same

    def test_relevance_of_nothing_is_the_newest_first(self, client: TestClient, find: Find) -> None:
        newest = client.get(POSTS).json()["data"]["items"]

        assert client.get(POSTS, params={"sort": "relevance"}).json()["data"]["items"] == newest

    @pytest.mark.parametrize("first", [{"cursor": ""}, {"page": 1}])
    def test_by_relevance_in_parts(
        self, client: TestClient, people: People, query: Query, first: dict[str, str]
    ) -> None:
        write_many(query, people("ada"), 30)
        asked = {"q": "word", "sort": "relevance", "size": "7", **first}

        data, seen = client.get(POSTS, params=asked).json()["data"], []
        while data:
            seen += [item["title"] for item in data["items"]]
            data = client.get(data["next"]).json()["data"] if data["next"] else None

        assert len(seen) == len(set(seen)) == 30
        assert seen[:10] == sorted(seen[:10], key=lambda title: "word" not in title)


def test_the_total_is_exact_up_to_a_thousand(
    client: TestClient, people: People, query: Query, redis: Redis
) -> None:
    ada = people("ada")
    write_many(query, ada, 1_000)
    assert client.get(POSTS, params={"q": "word"}).json()["data"]["total"] == 1_000

    write_many(query, ada, 1)
    forget_all(redis)  # written behind the service's back
    for sort in ("-published_at", "relevance"):
        last = client.get(POSTS, params={"q": "word", "sort": sort, "page": 50}).json()["data"]
        assert last["total"] is None
        assert len(last["items"]) == 20
        assert (last["next"] is None) == (
            sort == "relevance"
        )  # which ends with the newest thousand


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.text(
        st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=100
    )
    | st.text("'\"\\:*&|!<->()-% _ 서울a\t\n", min_size=1, max_size=40)
)
def test_nothing_that_can_be_typed_is_an_error(client: TestClient, redis: Redis, q: str) -> None:
    redis.flushdb()  # or the limit of a minute would be reached
    for sort in ("-published_at", "relevance"):
        answer = client.get(POSTS, params={"q": q, "sort": sort})
        assert answer.status_code == 200, answer.text


def write_many(query: Query, author: Person, number: int) -> None:
    query(
        "INSERT INTO posts (id, author_id, title, body, is_published, published_at) "
        "SELECT gen_random_uuid(), :author, CASE WHEN n % 3 = 0 THEN 'word ' ELSE 'other ' END || n || :mark, "
        "'a word', true, now() - n * interval '1 second' FROM generate_series(1, :number) n",
        author=author.id,
        number=number,
        mark=uuid4().hex,
    )


@pytest.mark.parametrize("index", ["ix_posts_search", "ix_posts_trigrams"])
def test_the_lists_beside_the_indexes_are_short(query: Query, index: str) -> None:
    """Each search reads them."""
    found = query(f"SELECT reloptions FROM pg_class WHERE relname = '{index}'")

    assert found == [(["gin_pending_list_limit=512"],)]


@pytest.mark.parametrize("sort", ["-published_at", "relevance"])
@pytest.mark.parametrize(
    ("q", "total"),
    [
        ("kingfisher magpie", 1),
        ("magpie kingfisher", 1),
        ("ingfish magpie", 1),
        ('"a kingfisher" magpie', 1),
        ("magpie kingfisher -beside", 0),
        ("magpie -kingfisher", FEW_HITS + 1),
        ("magpie post", FEW_HITS + 1),
        ("heron magpie", 0),
        ("-magpie -post", 1),
    ],
)
def test_words_that_few_posts_have_beside_words_of_many(
    client: TestClient, ada: Person, shelf: Shelf, q: str, total: int, sort: str
) -> None:
    shelf.put_many(ada, FEW_HITS + 1, "a magpie")
    shelf.put(ada, "beside", "a kingfisher and a magpie")
    shelf.put(ada, "heron", "alone")

    data = client.get(POSTS, params={"q": q, "size": 100, "sort": sort}).json()["data"]

    assert data["total"] == total
    assert len(data["items"]) == min(total, 100)


def test_what_a_rare_word_finds_is_not_looked_for_beside_a_common_one(
    app: App, client: TestClient, ada: Person, shelf: Shelf
) -> None:
    """Asked for both at once, the index would gather all that the common one finds."""
    shelf.put_many(ada, FEW_HITS + 1, "a magpie")
    shelf.put(ada, "beside", "a kingfisher and a magpie")

    with listening(app) as asked:
        client.get(POSTS, params={"q": "magpie kingfisher"})

    first, second = [statement for statement, _ in asked.statements]
    assert first.startswith("WITH found_0 AS MATERIALIZED")
    assert "tsquery" not in second


@pytest.mark.parametrize(
    ("q", "number"), [("magpie", 2), ("-magpie -heron", 1), ("magpie -heron", 2), ("owl magpie", 1)]
)
def test_no_more_is_asked_than_has_to_be(
    app: App, client: TestClient, ada: Person, shelf: Shelf, q: str, number: int
) -> None:
    shelf.put(ada, "both", "a heron and a magpie")
    shelf.put(ada, "one", "a magpie")

    with listening(app) as asked:
        client.get(POSTS, params={"q": q})

    assert len(asked.statements) == number


def test_long_searches_are_not_remembered(
    app: App, client: TestClient, ada: Person, shelf: Shelf
) -> None:
    """There are as many forms of them as anybody can type."""
    shelf.put(ada, "beside", "a heron")
    words = ["heron", "a", "ab", '"a heron"']
    with app.flask.app_context():
        compiled = db.engine._compiled_cache
    assert compiled is not None
    client.get(POSTS, params={"q": "heron a"})
    before = len(compiled)

    for number in range(20):
        q = " ".join(words[number >> place & 3] for place in range(MOST_TERMS))
        assert client.get(POSTS, params={"q": q}).status_code == 200

    assert len(compiled) <= before + 1  # that of known ids


def test_a_statement_grows_by_the_word_and_not_by_its_square(
    app: App, client: TestClient, ada: Person, shelf: Shelf
) -> None:
    with listening(app) as asked:
        for number in (MOST_TERMS // 2, MOST_TERMS):
            client.get(POSTS, params={"q": " ".join(["magpie"] * number)})

    lengths = [len(statement) for statement, _ in asked.statements if statement[:4] == "WITH"]
    assert len(lengths) == 2
    assert lengths[1] < 2 * lengths[0]
