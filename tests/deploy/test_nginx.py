"""The configuration that is deployed, on a real nginx before the real service: who gets in, and how."""

from __future__ import annotations

import json
import re
import select
import socket
import ssl
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from api.web.asgi.entry import API_HEADERS, HSTS
from api.web.asgi.queue import SPARED
from tests import live, nginx
from tests.infra.link import closed_port
from tests.nginx import NAME
from tests.spec import CONTRACT
from tests.waiting import until

pytestmark = pytest.mark.slow
MOST = 128
"""That are passed on at a time, to each address of the service."""
READ = "/api/v1/posts"
CROWD = 200
SPARED_PATHS = ["/api/v1/auth/login", "/api/v1/admin/users", "/healthz", "/openapi.json"]
FULL = '"upstream":"madang","upstream_status":"502"'
"""What the log says of one who was refused because so many were let in already."""
FLOODER = ("127.0.0.8", 0)
GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


@dataclass
class Site:
    plain: str
    secure: str
    home: Path
    server: live.Server

    def client(self, address: str = "127.0.0.1") -> httpx.Client:
        """Who calls from *address*."""
        trusted = ssl.create_default_context(cafile=str(self.home / "certificates/fullchain.pem"))
        way = httpx.HTTPTransport(local_address=address, verify=trusted)
        return httpx.Client(base_url=self.secure, transport=way)


@pytest.fixture(scope="module")
def site(
    environment: dict[str, str], app: object, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    home = tmp_path_factory.mktemp("site")
    settings = {"PUBLIC_URL": "https://localhost", "TRUSTED_PROXY_HOPS": "1"}
    with (
        live.serve(environment | settings, home / "log") as server,
        nginx.with_tls(server.url, home=home) as (plain, secure),
    ):
        yield Site(plain, secure, home, server)


@pytest.fixture
def client(site: Site, clean: None) -> Iterator[httpx.Client]:
    with site.client() as client:
        yield client


class TestOverTLS:
    def test_answers_are_those_of_the_service(self, client: httpx.Client, site: Site) -> None:
        answer = client.get("/healthz")

        assert answer.status_code == 200
        assert answer.headers.get_list("Strict-Transport-Security") == [HSTS]
        assert {answer.headers[name] for name in API_HEADERS} == set(API_HEADERS.values())
        assert answer.headers["Server"] == "nginx"

    def test_speaks_http_2(self, site: Site) -> None:
        assert negotiated(site, ["h2", "http/1.1"]) == "h2"

    @pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
    def test_takes_no_old_protocol(self, site: Site) -> None:
        with pytest.raises(OSError, match=r"(?i)protocol|reset"):
            negotiated(site, [], ssl.TLSVersion.TLSv1_1)

    def test_shows_no_certificate_under_another_name(self, site: Site) -> None:
        with pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"):
            negotiated(site, [], name="elsewhere.example.com")

    def test_compresses(self, client: httpx.Client) -> None:
        answer = client.get("/openapi.json", headers={"Accept-Encoding": "gzip"})

        assert answer.headers["Content-Encoding"] == "gzip"
        assert "Accept-Encoding" in answer.headers["Vary"]


class TestInTheClear:
    @pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
    def test_the_api_refuses(self, site: Site, method: str) -> None:
        token = {"Authorization": "Bearer secret"}
        answer = httpx.request(method, f"{site.plain}/api/v1/posts", headers=token)

        assert_refused(answer, 403, "FORBIDDEN")
        assert front_lines(site, answer)[0]["upstream"] == ""

    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    def test_pages_are_elsewhere(self, site: Site, method: str) -> None:
        answer = httpx.request(method, f"{site.plain}/docs?deep=1")

        assert answer.status_code == 308
        assert answer.headers["Location"] == "https://localhost/docs?deep=1"

    def test_nothing_is_sent_on_that_has_a_body(self, site: Site) -> None:
        assert_refused(httpx.post(f"{site.plain}/docs", json={}), 403, "FORBIDDEN")


class TestWhoComesIn:
    @pytest.mark.parametrize("path", ["/api/v1/posts", "/docs", "/"])
    def test_another_name_is_not_answered(self, site: Site, path: str) -> None:
        answer = httpx.get(f"{site.plain}{path}", headers={"Host": "elsewhere.example.com"})

        assert_refused(answer, 400, "INVALID_INPUT")

    def test_nor_is_it_with_a_body_of_any_size(self, site: Site) -> None:
        large, elsewhere = b"x" * 70_000, {"Host": "elsewhere.example.com"}

        refused = httpx.post(f"{site.plain}/", content=large, headers=elsewhere)
        assert_refused(refused, 413, "PAYLOAD_TOO_LARGE")
        refused = httpx.post(f"{site.plain}/api/v1/posts", content=large)
        assert_refused(refused, 413, "PAYLOAD_TOO_LARGE")

    def test_a_name_is_not_lent_under_tls(self, client: httpx.Client) -> None:
        answer = client.get("/api/v1/posts", headers={"Host": "elsewhere.example.com"})

        assert_refused(answer, 400, "INVALID_INPUT")

    @pytest.mark.parametrize(
        "forged",
        [
            {},
            {"X-Forwarded-For": "203.0.113.9"},
            {"X-Forwarded-For": "203.0.113.9, 198.51.100.7", "X-Real-IP": "203.0.113.9"},
            {"Forwarded": "for=203.0.113.9", "X_Forwarded_For": "203.0.113.9"},
        ],
        ids=["nothing said", "one", "two", "others"],
    )
    def test_an_address_is_the_one_of_the_connection(
        self, site: Site, forged: dict[str, str]
    ) -> None:
        with site.client("127.0.0.7") as client:
            answer = client.get("/api/v1/posts", headers=forged)

        assert [line["ip"] for line in lines(site, answer)] == ["127.0.0.7"]

    def test_metrics_are_closed(self, client: httpx.Client) -> None:
        assert_refused(client.get("/metrics"), 404, "NOT_FOUND")

    def test_a_flood_is_told_to_wait(self, site: Site, tmp_path: Path) -> None:
        """All of it arrives before it is answered, however slow or fast that goes."""
        with nginx.in_front_of(site.server.url, home=tmp_path) as url, ExitStack() as stack:
            address = (urlsplit(url).hostname, urlsplit(url).port)
            flood = [
                stack.enter_context(socket.create_connection(address, source_address=FLOODER))
                for _ in range(300)
            ]
            for connection in flood:
                connection.sendall(GET)
            answers = [HTTPResponse(connection) for connection in flood]
            for answer in answers:
                answer.begin()

            refused = [answer for answer in answers if answer.status != 200]
            assert 0 < len(refused) < len(flood)
            for answer in refused:
                assert answer.status == 503
                assert int(answer.headers["Retry-After"]) in range(2, 6)
                assert json.loads(answer.read())["error"]["code"] == "OVERLOADED"


class TestOverload:
    """Before something that lets everybody in and answers nobody."""

    def test_no_more_is_passed_on_than_is_answered_soon(self, tmp_path: Path) -> None:
        with silence() as (silent, upstream), nginx.in_front_of(upstream, home=tmp_path) as url:
            with ExitStack() as stack:
                crowd = [stack.enter_context(asking(url, READ, number)) for number in range(CROWD)]
                until(lambda: len(heard(crowd)) == CROWD - MOST)

                for connection in heard(crowd):
                    answer = HTTPResponse(connection)
                    answer.begin()
                    assert answer.status == 503
                    assert json.loads(answer.read())["error"]["code"] == "OVERLOADED"
                until(lambda: (tmp_path / "nginx.out").read_text().count(FULL) == len(crowd) - MOST)
                for path in SPARED_PATHS:
                    stack.enter_context(asking(url, path, 0))
                passed = Counter(asked(silent, MOST + len(SPARED_PATHS)))
                assert passed == Counter({READ: MOST} | dict.fromkeys(SPARED_PATHS, 1))

    def test_who_is_spared_is_so_by_the_service_too(self) -> None:
        text = (nginx.SOURCE / "service.conf").read_text(encoding="utf-8")
        [pattern] = re.findall(r'location ~ "(.+)" \{\s+proxy_pass http://madang_spared;', text)
        for operation in CONTRACT.operations.values():
            assert operation.path.startswith("/api/") != operation.is_root
            is_spared = bool(re.search(pattern, operation.path))
            assert is_spared == (operation.tag in SPARED), operation.id


@contextmanager
def silence() -> Iterator[tuple[socket.socket, str]]:
    with socket.create_server(("127.0.0.1", 0), backlog=512) as silent:
        yield silent, f"http://127.0.0.1:{silent.getsockname()[1]}"


@contextmanager
def asking(url: str, path: str, number: int) -> Iterator[socket.socket]:
    """One connection of many, from as many addresses as they need."""
    place, source = (urlsplit(url).hostname, urlsplit(url).port), f"127.0.0.{30 + number % 8}"
    with socket.create_connection(place, source_address=(source, 0)) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        yield connection


def heard(connections: list[socket.socket]) -> list[socket.socket]:
    """Those that were answered."""
    return select.select(connections, [], [], 0)[0]


def asked(silent: socket.socket, times: int) -> list[str]:
    """The paths that were passed on."""
    paths = []
    for _ in range(times):
        connection, _ = silent.accept()
        with connection:
            paths.append(connection.recv(1024).split()[1].decode())
    return paths


class TestLogs:
    def test_of_a_failure_hold_the_path_and_no_query(self, tmp_path: Path) -> None:
        with nginx.in_front_of(f"http://127.0.0.1:{closed_port()}", home=tmp_path) as url:
            answer = httpx.get(f"{url}/api/v1/posts?q=searched&token=hidden")
            [line] = _of(tmp_path / "nginx.out", answer)

        assert_refused(answer, 503, "OVERLOADED")
        assert (line["path"], line["status"]) == ("/api/v1/posts", 503)
        assert line["upstream_status"] == "502"
        for log in ("nginx.out", "nginx.err"):
            assert "searched" not in (tmp_path / log).read_text()

    def test_of_a_refusal_hold_no_query(self, tmp_path: Path) -> None:
        """A body too large, of which nginx would tell in its own words."""
        with nginx.in_front_of(f"http://127.0.0.1:{closed_port()}", home=tmp_path) as url:
            answer = httpx.post(f"{url}/api/v1/posts?q=searched", content=b"x" * 70_000)
            [line] = _of(tmp_path / "nginx.out", answer)

        assert (line["path"], line["status"]) == ("/api/v1/posts", 413)
        assert "searched" not in (tmp_path / "nginx.err").read_text()

    def test_hold_no_query_of_an_answer(self, client: httpx.Client, site: Site) -> None:
        [line] = front_lines(site, client.get("/api/v1/posts?q=searched"))

        assert (line["path"], line["upstream_status"]) == ("/api/v1/posts", "200")


class TestRequestId:
    def test_is_one_in_the_answer_and_in_both_logs(self, client: httpx.Client, site: Site) -> None:
        answer = client.get("/api/v1/posts")

        assert len(lines(site, answer)) == 1
        assert len(front_lines(site, answer)) == 1

    @pytest.mark.parametrize(("given", "kept"), [("my-own.id_1", True), ("a b", False)])
    def test_of_a_client_is_kept_if_it_is_one(
        self, client: httpx.Client, given: str, kept: bool
    ) -> None:
        for path in ("/api/v1/posts", "/metrics"):
            answer = client.get(path, headers={"X-Request-ID": given})
            assert (answer.headers["X-Request-ID"] == given) is kept


def assert_refused(answer: httpx.Response, status: int, code: str) -> None:
    """By nginx itself, in the one shape and with all headers."""
    assert answer.status_code == status
    error = answer.json()["error"]
    assert error["code"] == code
    assert error["request_id"] == answer.headers["X-Request-ID"]
    for name, value in API_HEADERS.items():
        assert answer.headers.get_list(name) == [value]
    secure = [HSTS] if answer.url.scheme == "https" else []
    assert answer.headers.get_list("Strict-Transport-Security") == secure


def negotiated(
    site: Site,
    protocols: list[str],
    version: ssl.TLSVersion | None = None,
    name: str = NAME,
) -> str | None:
    """The protocol over TLS that was chosen."""
    context = ssl._create_unverified_context()
    if protocols:
        context.set_alpn_protocols(protocols)
    if version:
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = version
    address = urlsplit(site.secure)
    with (
        socket.create_connection(("127.0.0.1", address.port or 443)) as connection,
        context.wrap_socket(connection, server_hostname=name) as secured,
    ):
        return secured.selected_alpn_protocol()


def lines(site: Site, answer: httpx.Response) -> list[dict[str, Any]]:
    """What the service wrote of a request."""
    return _of(site.server.log, answer)


def front_lines(site: Site, answer: httpx.Response) -> list[dict[str, Any]]:
    return _of(site.home / "nginx.out", answer)


def _of(log: Path, answer: httpx.Response) -> list[dict[str, Any]]:
    """Once it is there: it is written after the answer."""
    asked = answer.headers["X-Request-ID"]
    found = until(lambda: [line for line in log.read_text().splitlines() if asked in line])
    return [json.loads(line) for line in found]
