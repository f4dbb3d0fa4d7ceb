"""What Connexion does not check at the start is checked here, with what it would have checked it."""

from __future__ import annotations

from copy import deepcopy

import pytest
from connexion.exceptions import InvalidSpecification
from connexion.spec import Specification

from api.app import create_app
from api.config import Settings
from api.web.contract import Contract
from api.web.trusted import CHECK, known_to_be_valid


def test_the_published_contract_is_valid() -> None:
    Specification.from_dict(deepcopy(Contract.load().for_connexion()))


def test_any_other_contract_is_checked_at_the_start(environment: dict[str, str]) -> None:
    document = deepcopy(Contract.load().document)
    document["paths"]["/posts"]["get"]["summary"] = 7

    with pytest.raises(InvalidSpecification):
        create_app(Settings.from_env(environment), Contract(document))


def test_connexion_checks_again_afterwards() -> None:
    stock = vars(Specification)[CHECK]

    with known_to_be_valid():
        Specification.from_dict({"openapi": "3.0.3", "paths": {}})
        assert vars(Specification)[CHECK] is not stock

    assert vars(Specification)[CHECK] is stock
    with pytest.raises(InvalidSpecification):
        Specification.from_dict({"openapi": "3.0.3", "paths": {}})
