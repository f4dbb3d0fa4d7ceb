"""What nginx compresses has a weak tag; it is as good as the strong one."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests import live, nginx
from tests.people import People

POST = {"title": "마당에 핀 꽃", "body": "The first one this year. " * 100, "is_published": True}


@pytest.mark.slow
def test_a_tag_outlives_gzip(people: People, environment: dict[str, str], tmp_path: Path) -> None:
    ada = people("ada")
    with (
        live.serve(environment, tmp_path / "log") as server,
        nginx.in_front_of(server.url, home=tmp_path) as url,
        httpx.Client(base_url=url, headers=ada.auth | {"Accept-Encoding": "gzip"}) as client,
    ):
        place = client.post("/api/v1/posts", json=POST).headers["Location"]
        read = client.get(place)
        tag = read.headers["ETag"]
        assert read.headers["Content-Encoding"] == "gzip"
        assert tag.startswith('W/"')

        assert client.get(place, headers={"If-None-Match": tag}).status_code == 304
        for status in (200, 412):
            answer = client.patch(place, json={"title": "꽃"}, headers={"If-Match": tag})
            assert answer.status_code == status
