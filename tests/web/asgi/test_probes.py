"""Probes: what they say, and that however many ask, the servers behind are asked once."""

from __future__ import annotations

import asyncio
from importlib.metadata import version

import pytest
from starlette.testclient import TestClient

from api.errors import Unavailable
from api.web.asgi.probes import Readiness
from tests.infra.link import closed_port
from tests.web.apps import serving, written


class TestHealth:
    def test_says_what_lives(self, client: TestClient) -> None:
        assert client.get("/healthz").json() == {
            "status": "ok",
            "data": {"service": "madang", "version": version("madang"), "revision": None},
        }

    def test_says_what_it_was_built_of(self, environment: dict[str, str]) -> None:
        with serving(environment | {"REVISION": "4f0c2d9e"}) as client:
            assert client.get("/healthz").json()["data"]["revision"] == "4f0c2d9e"


class TestReadiness:
    def test_names_what_it_stands_on(self, client: TestClient) -> None:
        assert client.get("/readyz").json()["data"] == {"database": "ok", "redis": "ok"}

    def test_without_redis_it_is_degraded_and_ready(self, environment: dict[str, str]) -> None:
        dead = f"redis://127.0.0.1:{closed_port()}/0"
        with serving(environment, REDIS_URL=dead) as client:
            response = client.get("/readyz")

        assert (response.status_code, response.json()["data"]["redis"]) == (200, "degraded")

    def test_many_at_once_ask_the_servers_once(self) -> None:
        asked: list[int] = []
        readiness = Readiness(lambda: asked.append(1), lambda: True)

        async def many() -> list[dict[str, str]]:
            return await asyncio.gather(*(readiness.check() for _ in range(50)))

        answers = asyncio.run(many())

        assert answers == [{"database": "ok", "redis": "ok"}] * 50
        assert len(asked) == 1

    @pytest.mark.usefixtures("app")
    def test_a_database_that_fails_is_remembered_and_told_to_the_log(self) -> None:
        asked: list[int] = []

        def fails() -> None:
            asked.append(1)
            raise ConnectionError("a secret")

        readiness = Readiness(fails, lambda: True)

        async def twice() -> None:
            for _ in range(2):
                with pytest.raises(Unavailable):
                    await readiness.check()

        with written() as log:
            asyncio.run(twice())

        assert asked == [1]
        assert [line["message"] for line in log.lines] == ["not ready: ConnectionError"]
