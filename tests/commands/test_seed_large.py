"""The large profile of ``madang seed``: much data, as true as if people had written it."""

from __future__ import annotations

from collections.abc import Callable
from uuid import RFC_4122, UUID

import pytest
from click.testing import CliRunner, Result
from redis import Redis
from starlette.testclient import TestClient

from api.app import App
from api.cli import main
from api.commands.seed import PASSWORD
from api.commands.seed_text import english_name, korean_name
from tests.memory import forget_all
from tests.people import People, sql

Query = Callable[..., list[tuple[object, ...]]]
POSTS, PEOPLE = 400, 30
TABLES = ("users", "posts", "comments", "post_totals")
SEARCH_INDEXES = (
    "SELECT indexdef FROM pg_indexes WHERE indexdef LIKE '%USING gin%' ORDER BY indexname"
)


def seed(environment: dict[str, str], posts: int = POSTS, people: int = PEOPLE) -> Result:
    sizes = ["--posts", str(posts), "--people", str(people)]
    return CliRunner(env=environment).invoke(main, ["seed", "--profile", "large", *sizes])


def stored(query: Query) -> list[list[tuple[object, ...]]]:
    return [query(f"SELECT * FROM {table} ORDER BY 1") for table in TABLES]


def counted(query: Query, table: str, condition: str = "true") -> int:
    [[number]] = query(f"SELECT count(*) FROM {table} WHERE {condition}")
    return int(str(number))


@pytest.fixture(scope="class")
def loaded(environment: dict[str, str], app: App, redis: Redis) -> Result:
    sql(app.flask, "TRUNCATE users, post_totals CASCADE")
    forget_all(redis)
    sql(app.flask, "INSERT INTO post_totals VALUES (3, 7)")
    return seed(environment)


@pytest.mark.usefixtures("loaded")
class TestWhatIsLoaded:
    """All of these only look, at what was loaded once."""

    def test_is_as_much_as_was_asked_for(self, loaded: Result, query: Query) -> None:
        assert loaded.exit_code == 0, loaded.output
        assert (counted(query, "posts"), counted(query, "users")) == (POSTS, PEOPLE)
        assert 0 < counted(query, "posts", "NOT is_published") < POSTS / 10
        assert 0 < counted(query, "posts", "comment_count > 0") < POSTS / 2

    def test_counters_equal_the_rows_they_count(self, query: Query) -> None:
        comments = "SELECT count(*) FROM comments WHERE post_id = posts.id"
        published = "SELECT count(*) FROM posts WHERE author_id = users.id AND is_published"

        assert counted(query, "posts", f"comment_count <> ({comments})") == 0
        assert counted(query, "users", f"post_count <> ({published})") == 0
        [[total]] = query("SELECT sum(published) FROM post_totals")
        assert total == counted(query, "posts", "is_published") + 7  # which were there before

    @pytest.mark.parametrize("table", ["users", "posts", "comments"])
    def test_ids_are_of_version_7_and_tell_when_their_row_was_made(
        self, query: Query, table: str
    ) -> None:
        rows = query(f"SELECT id, floor(extract(epoch FROM created_at) * 1000) FROM {table}")

        assert rows
        for found, milliseconds in rows:
            assert isinstance(found, UUID)
            assert (found.version, found.variant) == (7, RFC_4122)
            assert found.int >> 80 == milliseconds

    def test_posts_have_their_ids_in_the_order_of_creation(self, query: Query) -> None:
        by_time, by_id = (
            query(f"SELECT id FROM posts ORDER BY {key}") for key in ("created_at", "id")
        )

        assert by_time == by_id

    def test_nothing_is_older_than_what_it_needs(self, query: Query) -> None:
        written = "posts JOIN users ON users.id = author_id"
        answers = (
            "comments JOIN posts ON posts.id = post_id JOIN users ON users.id = comments.author_id"
        )
        early = "comments.created_at < greatest(published_at, users.created_at)"

        assert counted(query, "posts", "published_at NOT BETWEEN created_at AND now()") == 0
        assert counted(query, "posts", "is_published <> (published_at IS NOT NULL)") == 0
        assert counted(query, written, "posts.created_at < users.created_at") == 0
        assert counted(query, answers) == counted(query, "comments") > 0
        assert counted(query, answers, f"{early} OR comments.created_at > now()") == 0

    def test_it_goes_back_three_years(self, query: Query) -> None:
        age = "extract(days FROM now() - created_at)"
        [[oldest, newest]] = query(f"SELECT max({age}), min({age}) FROM posts")

        assert 1_000 < int(str(oldest)) <= 1_095
        assert 0 <= int(str(newest)) < 10

    @pytest.mark.parametrize(
        ("name", "common"),
        [(korean_name, "서울"), (english_name, "quiet")],
        ids=["Korean", "English"],
    )
    def test_a_search_finds_what_is_rare_and_what_is_common(
        self, transport: TestClient, name: Callable[[int], str], common: str
    ) -> None:
        def found(words: str) -> int:
            answer = transport.get("/api/v1/posts", params={"q": words})
            return int(answer.json()["data"]["total"])

        assert 0 < found(name(7)) < POSTS / 20
        assert POSTS / 20 < found(common) < POSTS / 2

    def test_text_is_as_long_as_people_write(self, query: Query) -> None:
        lengths = [int(str(length)) for [length] in query("SELECT length(body) FROM posts")]

        assert 150 < min(lengths) < 300
        assert 500 < max(lengths) < 1_200

    def test_each_of_them_can_log_in_as_it_says(
        self, loaded: Result, transport: TestClient
    ) -> None:
        assert f"demo_1@example.com with the password {PASSWORD}" in loaded.output
        for number in (1, PEOPLE):
            who = {"email": f"demo_{number}@example.com", "password": PASSWORD}
            assert transport.post("/api/v1/auth/login", json=who).status_code == 200

    def test_a_second_time_changes_nothing_and_says_so(
        self, environment: dict[str, str], query: Query
    ) -> None:
        before = stored(query)

        again = seed(environment, posts=POSTS + 1, people=PEOPLE + 1)

        assert again.exit_code == 0
        assert "nothing was changed" in again.output
        assert stored(query) == before


@pytest.mark.usefixtures("clean")
class TestLoading:
    def test_is_refused_in_production(self, environment: dict[str, str], query: Query) -> None:
        strong = {"ENVIRONMENT": "production", "JWT_SECRET_KEY": "qW3rT6yU9iOp2aSdFgHjKlZxCvBnM1!x"}

        result = seed(environment | strong)

        assert result.exit_code == 1
        assert "production" in result.output
        assert counted(query, "users") == 0

    def test_leaves_the_indexes_as_they_were_and_forgets_kept_lists(
        self, environment: dict[str, str], client: TestClient, query: Query
    ) -> None:
        """Of one post of one person, which is the least there can be."""
        before = query(SEARCH_INDEXES)
        assert client.get("/api/v1/posts").json()["data"]["total"] == 0

        assert seed(environment, posts=1, people=1).exit_code == 0

        assert client.get("/api/v1/posts").json()["data"]["total"] == counted(query, "posts") == 1
        assert query(SEARCH_INDEXES) == before
        assert len(before) == 2

    def test_leaves_all_as_it_was_when_it_fails(
        self, environment: dict[str, str], people: People, query: Query
    ) -> None:
        people(f"demo_{PEOPLE}")  # the name that the last one was to have
        query("UPDATE users SET email = 'somebody@example.com'")
        before, indexes = stored(query), query(SEARCH_INDEXES)

        result = seed(environment)

        assert isinstance(result.exception, SystemExit), result.exception  # told, without a trace
        assert result.exit_code == 1
        assert (stored(query), query(SEARCH_INDEXES)) == (before, indexes)

    @pytest.mark.slow
    def test_goes_with_the_demo_data_in_any_order(
        self, environment: dict[str, str], query: Query
    ) -> None:
        def demo() -> int:
            return CliRunner(env=environment).invoke(main, ["seed"]).exit_code

        assert [demo(), seed(environment).exit_code, demo()] == [0, 0, 0]
        assert counted(query, "users") == PEOPLE + 3

    def test_refuses_more_than_it_has_names_for(self, environment: dict[str, str]) -> None:
        assert seed(environment, posts=5_000_001).exit_code == 2
        assert korean_name(5_000_000 // 20) != korean_name(0)
