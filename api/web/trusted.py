"""The published contract is valid before it is published: Connexion is not asked for that again at every start.

It has no setting for this, so its private method steps aside meanwhile. docs/adr/0024 tells what it is worth.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from connexion.spec import Specification

CHECK = "_validate_spec"


@contextmanager
def known_to_be_valid() -> Iterator[None]:
    """While a contract is added that a test has validated (tests/web/test_trusted.py)."""
    stock = vars(Specification)[CHECK]
    setattr(Specification, CHECK, classmethod(lambda _, __: None))
    try:
        yield
    finally:
        setattr(Specification, CHECK, stock)
