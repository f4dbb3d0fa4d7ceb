"""Parameters and bodies against the contract: every fault named, nothing of what was sent repeated."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.errors import InvalidInput
from api.web.contract import Contract
from api.web.validation import Schemas
from tests.people import Person
from tests.spec import CONTRACT
from tests.web.raw import ask

POSTS = "/api/v1/posts"
UUID = "01a20547-abc9-7556-b949-68714accd4b0"
LARGEST_REFUSAL = 4 * 1024


def details(client: TestClient, url: str, **kwargs: Any) -> dict[str, str]:
    response = client.request(kwargs.pop("method", "GET"), url, **kwargs)
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "INVALID_INPUT"
    assert len(response.content) <= LARGEST_REFUSAL
    found: dict[str, str] = response.json()["error"]["details"]
    return found


class TestIntegersInTheQuery:
    @pytest.mark.parametrize(
        "text",
        ["٣", "３", "%203", "3%20", "+3", "%2B3", "1_000", "0x1", "1e1", "1.0", "3%0A", "", "-", "--1",
         "one", "true", "NaN", "9" * 20, "1" * 5_000, "%zz", "3;4", "%5B3%5D"],
        ids=lambda text: text[:12] or "empty",
    )  # fmt: skip
    def test_only_ascii_digits_count(self, client: TestClient, text: str) -> None:
        """A known trap: ``page=٣``, `` 3``, ``1_000`` and ``+3`` were accepted, 5,000 digits a 500."""
        assert details(client, f"{POSTS}?page={text}") == {"page": "must be an integer"}

    @pytest.mark.parametrize(
        ("text", "fault"),
        [
            ("0", "must be at least 1"),
            ("-0", "must be at least 1"),
            ("-1", "must be at least 1"),
            ("101", "must be at most 100"),
            ("1000000000", "must be at most 100"),
            (str(2**63), "must be at most 100"),
        ],
    )
    def test_bounds_hold(self, client: TestClient, text: str, fault: str) -> None:
        assert details(client, f"{POSTS}?size={text}") == {"size": fault}

    @pytest.mark.parametrize("text", ["1", "100", "%31", "007"])
    def test_whole_numbers_in_bounds_are_read(self, client: TestClient, text: str) -> None:
        response = client.get(f"{POSTS}?size={text}")

        assert response.json()["data"]["size"] in (1, 7, 100)


class TestNamesInTheQuery:
    def test_a_repeated_parameter_is_refused(self, client: TestClient) -> None:
        """A known trap: ``page=1&page=2`` was accepted."""
        assert details(client, f"{POSTS}?page=1&page=1") == {"page": "is given more than once"}

    def test_a_name_in_other_letters_is_unknown(self, client: TestClient) -> None:
        assert details(client, f"{POSTS}?Page=1&%70age=1&page[]=1") == {
            "Page": "is not known here",
            "(another key)": "is not known here",
        }

    def test_every_fault_is_named_at_once(self, client: TestClient) -> None:
        assert details(client, f"{POSTS}?page=x&size=0&colour=red&size=1&%3Cb%3E=1") == {
            "page": "must be an integer",
            "size": "is given more than once",
            "colour": "is not known here",
            "(another key)": "is not known here",
        }

    def test_a_thousand_unknown_ones_are_a_small_answer(self, client: TestClient) -> None:
        short = "&".join(f"unknown_parameter_with_forty_letters_{n:04}=x" for n in range(1_000))
        long = "&".join(f"{'k' * 56}{n:04}=x" for n in range(1_000))

        for query in (short, long):
            answer = ask(client, "GET", f"{POSTS}?{query}".encode())
            assert answer is not None
            assert answer.status_code == 400
            assert len(answer.content) <= LARGEST_REFUSAL

    def test_no_value_is_repeated(self, client: TestClient) -> None:
        for query in (
            "page=canary",
            "canary-canary%0d%0a=1",
            "colour=canary",
            "page=canary&page=1",
        ):
            assert "canary" not in client.get(f"{POSTS}?{query}").text

    def test_operations_without_parameters_know_none(self, client: TestClient, ada: Person) -> None:
        for url in ("/api/v1/users/me", "/healthz", "/readyz", "/docs", "/openapi.json"):
            assert details(client, f"{url}?x=1", headers=ada.auth) == {"x": "is not known here"}


class TestIds:
    @pytest.mark.parametrize(
        "text",
        [UUID.upper(), f"{{{UUID}}}", f"urn:uuid:{UUID}", UUID.replace("-", ""), UUID + "%0D", "%20" + UUID,
         UUID[:-1], UUID + "0", "not-a-uuid", "1", "-1", "%2e%2e", "null", "x" * 5_000, "0" * 5_000,
         UUID.replace("0", "０"), "%zz"],
        ids=lambda text: text[:40],
    )  # fmt: skip
    def test_one_form_counts(self, client: TestClient, text: str) -> None:
        """A known trap: any text passed for ``format: uuid``, and the handler died of it."""
        faults = details(client, f"{POSTS}/{text}")

        assert faults.keys() == {"id"}
        assert faults["id"] in {
            "has a form that is not allowed",
            "must have at least 36 characters",
            "must have at most 36 characters",
        }

    @pytest.mark.parametrize(
        "text", [f"{UUID}%0A", f"%0A{UUID}", f"{UUID[:8]}%0A{UUID[8:]}", "%0A"]
    )
    def test_a_newline_leads_nowhere(self, client: TestClient, text: str) -> None:
        """Connexion's router passes what it cannot match on to Flask, which matched it: a 500."""
        assert client.get(f"{POSTS}/{text}").status_code == 404

    def test_that_form_is_looked_up(self, client: TestClient) -> None:
        assert client.get(f"{POSTS}/{UUID}").status_code == 404


class TestBodies:
    def test_a_newline_does_not_hide_behind_the_end_of_a_pattern(
        self, client: TestClient, ada: Person
    ) -> None:
        """A known trap: Python's ``$`` accepts "alice\\n" against ``^[a-z0-9_]+$``."""
        faults = details(
            client,
            "/api/v1/users/me",
            method="PATCH",
            json={"username": "alice\n"},
            headers=ada.auth,
        )

        assert faults == {"username": "has a form that is not allowed"}

    @pytest.mark.parametrize("body", [[], "text", 1, None, True, 1.5])
    def test_a_body_of_another_type_is_named_so(
        self, client: TestClient, ada: Person, body: object
    ) -> None:
        response = client.post(
            POSTS, content=json.dumps(body), headers=ada.auth | {"Content-Type": "application/json"}
        )

        assert response.json()["error"]["details"] == {"body": "must be an object"}

    def test_a_missing_body_is_named_so(self, client: TestClient, ada: Person) -> None:
        assert details(client, POSTS, method="POST", headers=ada.auth) == {"body": "is required"}

    def test_a_thousand_unknown_keys_are_a_small_answer(
        self, client: TestClient, ada: Person
    ) -> None:
        for form in (
            "unknown_key_of_forty_letters_in_all_{:04}",
            "k" * 56 + "{:04}",
            '"\\\u2028{:04}',
        ):
            body = {form.format(n): 1 for n in range(1_000)}
            details(client, POSTS, method="POST", json=body, headers=ada.auth)

    def test_no_value_is_repeated(self, client: TestClient, ada: Person) -> None:
        """A known trap: a too short password was echoed in the answer."""
        bodies: list[dict[str, Any]] = [
            {"title": ["canary"], "body": {"canary!": 1}},
            {"title": "t", "body": "b", "canary is no name": "canary"},
            {"title": "canary" * 100, "body": "b"},
        ]
        for body in bodies:
            assert "canary" not in client.post(POSTS, json=body, headers=ada.auth).text
        login = {"email": "canary", "password": "canary"}
        assert "canary" not in client.post("/api/v1/auth/login", json=login).text


class TestSchemas:
    """What this contract does not use yet, by a contract that does."""

    def test_a_fraction_is_no_integer_even_when_it_is_whole(self) -> None:
        schemas, contract = doctored({"count": {"type": "integer"}})

        schemas.check_body(contract.operations["create_post"], {"count": 1})
        for value in (1.0, 1.5, "1", True):
            assert faults_of(schemas, contract, {"count": value}) == {"count": "must be an integer"}

    def test_nested_fields_are_named_by_their_path(self) -> None:
        item = {"type": "object", "additionalProperties": False, "required": ["a"],
                "properties": {"a": {"type": "string", "enum": ["x"]}}}  # fmt: skip
        schemas, contract = doctored(
            {"items": {"type": "array", "minItems": 1, "maxItems": 2, "items": item}}
        )

        assert faults_of(schemas, contract, {"items": [{"a": "x"}, {"b": 1}]}) == {
            "items.1.a": "is required",
            "items.1.b": "is not known here",
        }
        assert faults_of(schemas, contract, {"items": []}) == {
            "items": "must have at least 1 items"
        }
        assert faults_of(schemas, contract, {"items": [{"a": "y"}]}) == {
            "items.0.a": "is not one of the allowed values"
        }

    def test_null_counts_only_where_it_is_allowed(self) -> None:
        schemas, contract = doctored(
            {
                "a": {"type": "string", "nullable": True, "enum": ["x"]},
                "b": {"type": "string", "nullable": False},
            }
        )

        schemas.check_body(contract.operations["create_post"], {"a": None})
        assert faults_of(schemas, contract, {"b": None}) == {"b": "must be a string"}

    def test_a_rule_without_a_message_of_its_own_is_still_a_fault(self) -> None:
        schemas, contract = doctored({"n": {"type": "integer", "multipleOf": 2}})

        assert faults_of(schemas, contract, {"n": 3}) == {"n": "is not allowed"}

    def test_truth_in_a_query_is_spelt_in_one_way(self) -> None:
        schemas, contract = with_parameter({"type": "boolean"})

        check_query(schemas, contract, b"p=true")
        with pytest.raises(InvalidInput) as refused:
            check_query(schemas, contract, b"p=True")
        assert refused.value.details == {"p": "must be a boolean"}

    def test_a_required_parameter_is_missed(self) -> None:
        schemas, contract = with_parameter({"type": "string"})

        with pytest.raises(InvalidInput) as refused:
            check_query(schemas, contract, b"")
        assert refused.value.details == {"p": "is required"}

    def test_a_parameter_of_a_type_nobody_reads_stops_the_start_up(self) -> None:
        with pytest.raises(TypeError, match="array is not built"):
            with_parameter({"type": "array", "items": {"type": "string"}})


def doctored(properties: dict[str, Any]) -> tuple[Schemas, Contract]:
    document = copy.deepcopy(CONTRACT.document)
    schema = {"type": "object", "additionalProperties": False, "properties": properties}
    content = document["paths"]["/posts"]["post"]["requestBody"]["content"]
    content["application/json"]["schema"] = schema
    contract = Contract(document)
    return Schemas(contract), contract


def with_parameter(schema: dict[str, Any]) -> tuple[Schemas, Contract]:
    document = copy.deepcopy(CONTRACT.document)
    parameter = {"name": "p", "in": "query", "required": True, "schema": schema}
    document["paths"]["/posts"]["get"]["parameters"] = [parameter]
    contract = Contract(document)
    return Schemas(contract), contract


def check_query(schemas: Schemas, contract: Contract, query: bytes) -> None:
    scope = {"type": "http", "headers": [], "query_string": query}
    schemas.check_parameters(contract.operations["list_posts"], scope)


def faults_of(schemas: Schemas, contract: Contract, body: Any) -> dict[str, str]:
    with pytest.raises(InvalidInput) as refused:
        schemas.check_body(contract.operations["create_post"], body)
    return refused.value.details
