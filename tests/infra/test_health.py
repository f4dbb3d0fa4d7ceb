"""Probes of the servers behind, each on a connection of its own."""

from __future__ import annotations

import time

import psycopg2
import pytest

from api.infra.health import database_probe, redis_probe
from tests.infra.link import closed_port, silence


class TestDatabase:
    def test_one_that_answers_is_fine(self, environment: dict[str, str]) -> None:
        database_probe(environment["DATABASE_URL"])()

    def test_a_driver_in_the_url_does_not_matter(self, environment: dict[str, str]) -> None:
        database_probe(environment["DATABASE_URL"].replace("postgresql:", "postgresql+psycopg2:"))()
        database_probe(environment["DATABASE_URL"].replace("postgresql:", "postgres:"))()

    def test_one_that_is_gone_raises(self) -> None:
        with pytest.raises(psycopg2.OperationalError):
            database_probe(f"postgresql://nobody@127.0.0.1:{closed_port()}/x")()

    def test_a_silent_one_is_given_up(self) -> None:
        with silence() as port, pytest.raises(psycopg2.OperationalError):
            started = time.monotonic()
            database_probe(f"postgresql://nobody@127.0.0.1:{port}/x")()

        assert time.monotonic() - started < 20  # else it would be for ever


class TestRedis:
    def test_one_that_answers_is_fine(self, environment: dict[str, str]) -> None:
        assert redis_probe(environment["REDIS_URL"])() is True

    def test_one_that_is_gone_is_not(self) -> None:
        assert redis_probe(f"redis://127.0.0.1:{closed_port()}/0")() is False
