"""The index of the contract: what it finds, and what stops the start-up."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from connexion.exceptions import ResolverError

from api.web.contract import Contract, ContractError, Json
from api.web.policy import PolicyResolver
from tests.spec import CONTRACT


def changed(**policy: Any) -> Json:
    """The published contract with another policy for one operation; None drops a key."""
    document = copy.deepcopy(CONTRACT.document)
    operation = document["paths"]["/posts"]["post"]
    merged = operation["x-policy"] | policy
    operation["x-policy"] = {key: value for key, value in merged.items() if value is not None}
    return document


class TestStartUp:
    def test_an_operation_without_a_policy_stops_it(self) -> None:
        document = copy.deepcopy(CONTRACT.document)
        del document["paths"]["/posts"]["post"]["x-policy"]

        with pytest.raises(ContractError, match="create_post needs an x-policy"):
            Contract(document)

    @pytest.mark.parametrize("role", [None, "", "owner", "Admin", "*"])
    def test_an_unknown_role_stops_it(self, role: str | None) -> None:
        with pytest.raises(ContractError, match="create_post needs an x-policy with a role"):
            Contract(changed(role=role))

    def test_an_unknown_limit_stops_it(self) -> None:
        with pytest.raises(
            ContractError, match=r"create_post names unknown rate limits: \['writes'\]"
        ):
            Contract(changed(rate_limit=["user", "writes"]))

    def test_a_missing_handler_stops_it(self) -> None:
        """A known trap: Connexion itself notices with the first request only."""
        document = copy.deepcopy(CONTRACT.document)
        document["paths"]["/posts"]["post"]["operationId"] = "publish_post"

        with pytest.raises(ResolverError, match="publish_post"):
            PolicyResolver(Contract(document)).find_all()

    def test_a_missing_package_stops_it(self) -> None:
        document = copy.deepcopy(CONTRACT.document)
        document["paths"]["/posts"]["post"]["tags"] = ["Nowhere"]

        with pytest.raises(ResolverError, match="nowhere"):
            PolicyResolver(Contract(document)).find_all()

    def test_the_published_one_has_all_its_handlers(self) -> None:
        PolicyResolver(CONTRACT).find_all()


class TestIndex:
    def test_a_fixed_path_goes_before_a_template(self) -> None:
        document = copy.deepcopy(CONTRACT.document)
        document["paths"]["/posts/mine"] = copy.deepcopy(document["paths"]["/users/me"])
        for method in ("get", "patch", "delete"):
            document["paths"]["/posts/mine"][method]["operationId"] += "_posts"
        contract = Contract(document)

        mine, other = contract.match("/api/v1/posts/mine"), contract.match("/api/v1/posts/other")

        assert mine is not None and mine["GET"].id == "get_me_posts"
        assert other is not None and other["GET"].id == "get_post"

    @pytest.mark.parametrize(
        "path", ["/api/v1/posts/a/b", "/api/v1/posts/", "/api/v1/posts/a\n", ""]
    )
    def test_a_template_takes_one_segment(self, path: str) -> None:
        assert CONTRACT.match(path) is None

    def test_an_operation_knows_what_it_asks_for(self) -> None:
        create, sign_up = CONTRACT.operations["create_post"], CONTRACT.operations["sign_up"]

        assert create.needs_login and not sign_up.needs_login
        assert create.policy.role == "user" and not create.policy.hashes_password
        assert sign_up.policy.hashes_password
        assert create.policy.rate_limit == ("anonymous", "user", "api_key", "write")
        assert not CONTRACT.operations["list_posts"].needs_login

    def test_parameters_of_the_path_belong_to_each_operation(self) -> None:
        names = [p["name"] for p in CONTRACT.operations["get_post"].parameters]
        assert names == ["id", "If-None-Match"]

    def test_connexion_gets_what_stands_below_the_base_path(self) -> None:
        paths = CONTRACT.for_connexion()["paths"]

        assert "/posts" in paths
        assert "/healthz" not in paths
