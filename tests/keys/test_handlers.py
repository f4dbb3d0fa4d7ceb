"""API keys: for programs of a person, shown once, with less than the person may."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from api.app import App
from tests.auth.flows import at_once, meanwhile
from tests.people import People, Person
from tests.spec import CONTRACT
from tests.web.apps import serving

API = "/api/v1"
KEYS = f"{API}/api-keys"
POSTS = f"{API}/posts"
POST = {"title": "마당에 핀 꽃", "body": "The first one this year.", "is_published": True}
WANTED = {"name": "nightly import", "scopes": ["read", "write"]}
Query = Callable[..., list[tuple[object, ...]]]


def make(client: TestClient, person: Person, **changes: Any) -> dict[str, Any]:
    answer = client.post(KEYS, json=WANTED | changes, headers=person.auth)
    assert answer.status_code == 201
    data: dict[str, Any] = answer.json()["data"]
    return data


def use(made: dict[str, Any]) -> dict[str, str]:
    return {"X-API-Key": made["key"]}


def code_of(response: httpx.Response) -> str:
    return str(response.json()["error"]["code"])


@pytest.fixture
def key(client: TestClient, ada: Person) -> dict[str, Any]:
    return make(client, ada)


class TestMaking:
    def test_tells_the_key_once(self, client: TestClient, ada: Person, query: Query) -> None:
        made = make(client, ada, expires_in_days=30)
        [listed] = client.get(KEYS, headers=ada.auth).json()["data"]["items"]

        secret = made.pop("key")
        assert listed == made
        assert secret.startswith(made["hint"])
        assert made["last_used_at"] is None
        lifetime = query("SELECT expires_at - created_at = interval '30 days' FROM api_keys")
        assert lifetime == [(True,)]

    def test_stores_nothing_that_it_could_be_made_from(
        self, client: TestClient, key: dict[str, Any], query: Query
    ) -> None:
        rest = key["key"].removeprefix(key["hint"])
        for table in ("api_keys", "audit_logs", "idempotency_keys"):
            assert rest not in str(query(f"SELECT t::text FROM {table} t"))

    def test_again_with_one_idempotency_key_tells_it_once_too(
        self, client: TestClient, ada: Person, query: Query
    ) -> None:
        headers = ada.auth | {"Idempotency-Key": "a"}
        first, again = (client.post(KEYS, json=WANTED, headers=headers).json() for _ in range(2))

        assert first["data"]["key"]
        assert again["data"] == first["data"] | {"key": None}
        assert first["data"]["key"] not in str(query("SELECT body FROM idempotency_keys"))

    def test_of_more_than_twenty_is_refused(
        self, client: TestClient, ada: Person, people: People
    ) -> None:
        for _ in range(18):
            make(client, ada)

        answers = at_once(4, lambda _: client.post(KEYS, json=WANTED, headers=ada.auth))

        assert sorted(answer.status_code for answer in answers) == [201, 201, 409, 409]
        assert {code_of(answer) for answer in answers if answer.status_code == 409} == {
            "TOO_MANY_KEYS"
        }
        make(client, people("bob"))

    @pytest.mark.parametrize(
        "changes",
        [
            {"name": ""},
            {"name": "x" * 101},
            {"scopes": []},
            {"scopes": ["admin"]},
            {"scopes": ["read", "read"]},
            {"expires_in_days": 0},
            {"expires_in_days": 366},
            {"key": "mine"},
        ],
    )
    def test_needs_what_the_contract_says(
        self, client: TestClient, ada: Person, changes: dict[str, Any]
    ) -> None:
        refused = client.post(KEYS, json=WANTED | changes, headers=ada.auth)

        assert (refused.status_code, code_of(refused)) == (400, "INVALID_INPUT")

    def test_and_deleting_are_audited(
        self, client: TestClient, ada: Person, key: dict[str, Any], query: Query
    ) -> None:
        client.delete(f"{KEYS}/{key['id']}", headers=ada.auth)

        rows = query(
            "SELECT action, target_type, target_id::text FROM audit_logs ORDER BY created_at"
        )
        assert rows == [
            ("authn_token_created", "api_key", key["id"]),
            ("authn_token_revoked", "api_key", key["id"]),
        ]

    def test_and_the_audit_log_is_shown_as_documented(
        self, client: TestClient, people: People, key: dict[str, Any]
    ) -> None:
        logs = f"{API}/admin/audit-logs?target_type=api_key"
        answer = client.get(logs, headers=people("boss", role="admin").auth)

        assert [row["target_id"] for row in answer.json()["data"]["items"]] == [key["id"]]


class TestUsing:
    def test_acts_for_the_person(
        self, client: TestClient, ada: Person, key: dict[str, Any]
    ) -> None:
        draft = client.post(POSTS, json=POST | {"is_published": False}, headers=use(key))

        assert draft.json()["data"]["author"]["id"] == str(ada.id)
        place = draft.headers["Location"]
        assert client.get(place, headers=use(key)).status_code == 200
        assert client.get(place).status_code == 404
        assert client.get(f"{API}/users/me", headers=use(key)).json()["data"]["email"] == ada.email

    @pytest.mark.parametrize(
        ("scopes", "read", "written"), [(["read"], 200, 403), (["write"], 403, 201)]
    )
    def test_is_good_for_its_scopes_alone(
        self, client: TestClient, ada: Person, scopes: list[str], read: int, written: int
    ) -> None:
        headers = use(make(client, ada, scopes=scopes))

        assert client.get(POSTS, headers=headers).status_code == read
        assert client.post(POSTS, json=POST, headers=headers).status_code == written

    def test_opens_what_lists_it_and_nothing_else(self, client: TestClient, people: People) -> None:
        """No administration, no end of an account, no other key, whoever made it."""
        boss = people("boss", role="admin")
        headers = use(make(client, boss)) | {"X-Requested-With": "tests"}

        for operation in CONTRACT.operations.values():
            path = operation.path.replace("{id}", str(boss.id))
            if operation.is_root or operation.policy.scope == "write":
                continue
            status = client.request(operation.method, path, headers=headers).status_code
            assert (status == 401) is (operation.policy.scope is None), operation.id
        assert client.delete(f"{API}/users/me", headers=headers).status_code == 401

    def test_is_noted_once_a_minute(
        self, client: TestClient, ada: Person, key: dict[str, Any], query: Query
    ) -> None:
        stamp = "SELECT last_used_at FROM api_keys"
        client.get(POSTS, headers=use(key))
        first = query(stamp)
        client.get(POSTS, headers=use(key))
        assert query(stamp) == first != [(None,)]

        query("UPDATE api_keys SET last_used_at = now() - interval '61 seconds'")
        client.post(POSTS, json=POST, headers=use(key))

        assert query("SELECT last_used_at > now() - interval '30 seconds' FROM api_keys") == [
            (True,)
        ]

    def test_has_buckets_of_its_own(
        self, client: TestClient, ada: Person, key: dict[str, Any]
    ) -> None:
        other = make(client, ada)
        for _ in range(2):
            client.get(POSTS, headers=use(key))

        def left(headers: dict[str, str]) -> str:
            return str(client.get(POSTS, headers=headers).headers["RateLimit"])

        assert left(use(key)).startswith('"api_key";r=297;')
        assert left(use(other)).startswith('"api_key";r=299;')
        assert (
            '"write";r=27;' in client.post(POSTS, json=POST, headers=use(key)).headers["RateLimit"]
        )


UNKNOWN = "madang_" + "A" * 43


class TestRefused:
    @pytest.mark.parametrize(
        "sent",
        [
            "",
            "x",
            UNKNOWN,
            UNKNOWN + "A",
            UNKNOWN.lower(),
            f"{UNKNOWN} ",
            "madang_' OR 1=1 --",
        ],
    )
    def test_what_is_no_key(self, client: TestClient, ada: Person, sent: str) -> None:
        for path in (POSTS, f"{API}/users/me", KEYS):
            refused = client.get(path, headers={"X-API-Key": sent})
            assert (refused.status_code, code_of(refused)) == (401, "UNAUTHORIZED")

    def test_guesses_are_counted_by_address(self, environment: dict[str, str], clean: None) -> None:
        with serving(environment | {"RATE_LIMIT_SCALE": "0.05"}) as client:
            statuses = [
                client.get(POSTS, headers={"X-API-Key": f"madang_{number:043}"}).status_code
                for number in range(7)
            ]

        assert statuses == [401] * 5 + [429] * 2

    def test_beside_a_token(self, client: TestClient, ada: Person, key: dict[str, Any]) -> None:
        assert client.get(POSTS, headers=use(key) | ada.auth).status_code == 401

    @pytest.mark.parametrize(
        "change",
        [
            "UPDATE api_keys SET expires_at = now()",
            "DELETE FROM api_keys",
            "UPDATE users SET status = 'blocked'",
            "DELETE FROM users",
        ],
    )
    def test_once_it_is_over(
        self, client: TestClient, key: dict[str, Any], query: Query, change: str
    ) -> None:
        assert client.get(POSTS, headers=use(key)).status_code == 200

        query(change)

        assert client.get(POSTS, headers=use(key)).status_code == 401
        assert client.post(POSTS, json=POST, headers=use(key)).status_code == 401

    def test_also_when_that_happens_in_this_very_moment(
        self, client: TestClient, app: App, key: dict[str, Any], query: Query
    ) -> None:
        answer = meanwhile(
            query,
            app,
            "DELETE FROM api_keys",
            lambda: client.post(POSTS, json=POST, headers=use(key)),
        )

        assert answer.status_code == 401
        assert query("SELECT count(*) FROM posts") == [(0,)]


class TestDeleting:
    def test_of_ones_own_alone(
        self, client: TestClient, ada: Person, key: dict[str, Any], people: People
    ) -> None:
        place = f"{KEYS}/{key['id']}"

        statuses = [
            client.delete(place, headers=person.auth).status_code
            for person in (people("bob"), people("boss", role="admin"), ada, ada)
        ]

        assert statuses == [404, 404, 204, 404]
        assert client.get(KEYS, headers=ada.auth).json()["data"]["total"] == 0

    def test_lists_are_of_ones_own_alone(
        self, client: TestClient, ada: Person, bob: Person
    ) -> None:
        names = [make(client, ada, name=name)["name"] for name in ("a", "b", "c")]
        make(client, bob)

        seen, path = [], f"{KEYS}?cursor=&size=1"
        while path:
            data = client.get(path, headers=ada.auth).json()["data"]
            seen += [item["name"] for item in data["items"]]
            path = data["next"]

        assert seen == names[::-1]
