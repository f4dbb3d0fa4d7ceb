"""Requests as bytes, of kinds that no library would send; ``{token}`` stands for a good access token."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

HOST = b"Host: localhost\r\nConnection: close\r\n"
POSTS = b"/api/v1/posts"
JSON = b"application/json"


@dataclass(frozen=True)
class Raw:
    bytes: bytes
    is_whole: bool = True
    """If not, its end never comes, and it may go unanswered."""

    @property
    def method(self) -> str:
        return self.bytes.partition(b" ")[0].decode("latin-1")


def line(method: bytes, target: bytes, *headers: bytes, version: bytes = b"HTTP/1.1") -> bytes:
    first = method + b" " + target + b" " + version + b"\r\n"
    return first + HOST + b"".join(header + b"\r\n" for header in headers) + b"\r\n"


def post(body: bytes, *headers: bytes, media_type: bytes = JSON) -> bytes:
    length = b"Content-Length: %d" % len(body)
    typed = (b"Content-Type: " + media_type, b"Authorization: Bearer {token}", length)
    return line(b"POST", POSTS, *typed, *headers) + body


BODIES = {
    "empty": b"",
    "one byte": b"{",
    "no JSON": b"hello",
    "a string": b'"title"',
    "null": b"null",
    "an array": b"[]",
    "two values": b'{"title":"t","body":"b"} {}',
    "a trailing comma": b'{"title":"t","body":"b",}',
    "a comment": b'{"title":"t",/**/"body":"b"}',
    "single quotes": b"{'title':'t','body':'b'}",
    "a byte order mark": b'\xef\xbb\xbf{"title":"t","body":"b"}',
    "UTF-16": '{"title":"t","body":"b"}'.encode("utf-16"),
    "UTF-32": '{"title":"t","body":"b"}'.encode("utf-32"),
    "latin-1": '{"title":"é","body":"b"}'.encode("latin-1"),
    "euc-kr": '{"title":"마당","body":"b"}'.encode("euc-kr"),
    "an overlong slash": b'{"title":"\xc0\xaf","body":"b"}',
    "an overlong NUL": b'{"title":"\xc0\x80","body":"b"}',
    "a surrogate in UTF-8": b'{"title":"\xed\xa0\x80","body":"b"}',
    "past U+10FFFF": b'{"title":"\xf4\x90\x80\x80","body":"b"}',
    "a cut sequence": b'{"title":"\xe2\x82","body":"b"}',
    "a lone continuation": b'{"title":"\x80","body":"b"}',
    "0xFF": b'{"title":"\xff","body":"b"}',
    "a NUL in a value": b'{"title":"\x00","body":"b"}',
    "an escaped NUL": b'{"title":"\\u0000","body":"b"}',
    "a NUL in a key": b'{"ti\\u0000tle":"t","title":"t","body":"b"}',
    "a control character": b'{"title":"\x01","body":"b"}',
    "a raw newline": b'{"title":"\n","body":"b"}',
    "a high surrogate": b'{"title":"\\ud83d","body":"b"}',
    "a low surrogate": b'{"title":"\\udc00","body":"b"}',
    "surrogates the wrong way round": b'{"title":"\\udc00\\ud83d","body":"b"}',
    "a surrogate as a key": b'{"\\ud83d":1,"title":"t","body":"b"}',
    "a duplicate key": b'{"title":"t","title":"u","body":"b"}',
    "a duplicate key in disguise": b'{"title":"t","\\u0074itle":"u","body":"b"}',
    "a thousand equal keys": b"{" + b",".join([b'"title":"t"'] * 1000) + b"}",
    "__proto__": b'{"__proto__":{"role":"admin"},"title":"t","body":"b"}',
    "an empty key": b'{"":1,"title":"t","body":"b"}',
    "1e400": b'{"title":1e400,"body":"b"}',
    "-1e400": b'{"title":-1e400,"body":"b"}',
    "1e-400": b'{"title":1e-400,"body":"b"}',
    "twenty digits": b'{"title":12345678901234567890,"body":"b"}',
    "ten thousand digits": b'{"title":' + b"9" * 10_000 + b',"body":"b"}',
    "a zero in front": b'{"title":01,"body":"b"}',
    "NaN": b'{"title":NaN,"body":"b"}',
    "Infinity": b'{"title":Infinity,"body":"b"}',
    "a hexadecimal": b'{"title":0x10,"body":"b"}',
    "depth 21": b'{"title":' + b"[" * 20 + b"]" * 20 + b',"body":"b"}',
    "depth 10,000": b"[" * 10_000 + b"]" * 10_000,
    "depth 60,000 and no end": b"[" * 60_000,
    "objects 5,000 deep": b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    "64 KiB and one byte": b'{"title":"t","body":"' + b"x" * 65_515 + b'"}',
    "1 MiB": b'"' + b"x" * 1_048_576 + b'"',
    "spaces alone": b" " * 1000,
    "numbers for strings": b'{"title":1,"body":2}',
    "true for a string": b'{"title":true,"body":"b"}',
    "an object for a string": b'{"title":{"$ne":null},"body":"b"}',
}

MEDIA_TYPES = {
    "": b"",
    "no slash": b"json",
    "a form": b"application/x-www-form-urlencoded",
    "multipart": b"multipart/form-data; boundary=x",
    "multipart without a boundary": b"multipart/form-data",
    "XML": b"application/xml",
    "text": b"text/plain",
    "text/json": b"text/json",
    "a suffix": b"application/vnd.madang+json",
    "problem": b"application/problem+json",
    "latin-1": b"application/json; charset=latin-1",
    "UTF-7": b"application/json; charset=utf-7",
    "UTF-16": b"application/json; charset=utf-16",
    "an unknown charset": b"application/json; charset=canary",
    "two charsets": b"application/json; charset=utf-8; charset=latin-1",
    "an open quote": b'application/json; charset="utf-8',
    "a thousand parameters": b"application/json" + b"; a=b" * 1000,
    "two at once": b"application/json, text/plain",
    "bytes that are no text": b"application/\xff\xfe",
    "spaces": b"application / json",
    "stars": b"*/*",
    "upper case": b"APPLICATION/JSON",
}

HEADERS: Mapping[str, tuple[bytes, ...]] = {
    "two content types": (b"Content-Type: text/plain",),
    "two tokens": (b"Authorization: Bearer x",),
    "two keys": (b"X-API-Key: madang_x", b"X-API-Key: madang_y"),
    "a key and a token": (b"X-API-Key: madang_" + b"0" * 43,),
    "two hosts": (b"Host: elsewhere",),
    "two equal lengths": (b"Content-Length: 24",),
    "two If-Match": (b'If-Match: "a"', b'If-Match: "b"'),
    "If-Match with nothing in its quotes": (b'If-Match: ""',),
    "If-Match without quotes": (b"If-Match: a",),
    "If-Match in bytes": (b'If-Match: "\xff"',),
    "two Idempotency-Keys": (b"Idempotency-Key: a1b2c3d4", b"Idempotency-Key: e5f6a7b8"),
    "an empty Idempotency-Key": (b"Idempotency-Key:",),
    "an Idempotency-Key in bytes": (b"Idempotency-Key: \xff\xfe",),
    "a compressed body": (b"Content-Encoding: gzip",),
    "an unknown encoding": (b"Content-Encoding: canary",),
    "Accept of a thousand ranges": (b"Accept: " + b"a/b," * 1000,),
    "Accept with no sense": (b"Accept: ;;;q=,,,",),
    "Accept in bytes": (b"Accept: \xff",),
    "a quality of 9": (b"Accept: application/json;q=9",),
    "a cookie without a name": (b"Cookie: =;=;;;",),
    "a cookie in bytes": (b"Cookie: refresh_token=\xff\xfe",),
    "a cookie twice": (b"Cookie: refresh_token=a; refresh_token=b",),
    "Forwarded": (b'Forwarded: for="[::1]";proto=https;host=evil',),
    "X-Forwarded-For with no address": (b"X-Forwarded-For: '; DROP TABLE users; --",),
    "X-Forwarded-For of thousands": (b"X-Forwarded-For: " + b"1.1.1.1, " * 800,),
    "X-Forwarded-Host": (b"X-Forwarded-Host: evil", b"X-Forwarded-Proto: javascript"),
    "X-HTTP-Method-Override": (b"X-HTTP-Method-Override: DELETE",),
    "X-Original-URL": (b"X-Original-URL: /api/v1/admin/users", b"X-Rewrite-URL: /readyz"),
    "a request id with a line break in it": (b"X-Request-ID: a\x0bb",),
    "a long request id": (b"X-Request-ID: " + b"a" * 5000,),
    "a traceparent with no sense": (b"traceparent: 00-zz-zz-zz",),
    "Range": (b"Range: bytes=0-0,-1,5-",),
    "Expect": (b"Expect: 200-ok",),
    "Origin null": (b"Origin: null",),
    "an Origin in bytes": (b"Origin: https://\xff",),
    "Upgrade to h2c": (b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQAAP__"),
    "a header of 7 KiB": (b"X-Long: " + b"x" * 7000,),
    "a header of 9 KiB": (b"X-Long: " + b"x" * 9000,),
    "a header of 70 KiB": (b"X-Long: " + b"x" * 70_000,),
    "ninety headers": tuple(b"X-%d: 1" % n for n in range(90)),
    "two hundred headers": tuple(b"X-%d: 1" % n for n in range(200)),
    "a name with an underscore": (b"X_Forwarded_For: 1.2.3.4",),
    "a name with a space": (b"X Y: 1",),
    "a space before the colon": (b"X-Y : 1",),
    "no colon": (b"nothing",),
    "no name": (b": 1",),
    "a name in bytes": (b"X-\xff: 1",),
    "a NUL in a value": (b"X-Y: \x00",),
    "a bare carriage return": (b"X-Y: a\rb",),
    "a folded line": (b"X-Y: a\r\n b",),
    "DEL": (b"X-Y: \x7f",),
}  # fmt: skip

METHODS = (b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"PROPFIND", b"get", b"G\x00T", b"BREW" * 50)
PATHS = (b"/api/v1/posts", b"/healthz", b"/nowhere", b"/api/v1/users/me")

TARGETS = (
    b"*", b"localhost:80", b"http://localhost/api/v1/posts", b"http://elsewhere/api/v1/posts", b"ftp://x/", b"//",
    b"///api//v1//posts", b"//evil.example/api/v1/posts", b"/api/v1/posts/", b"/api/v1/./posts",
    b"/api/v1/../v1/posts", b"/../../etc/passwd", b"/%2e%2e/%2e%2e/etc/passwd", b"/api%2fv1%2fposts",
    b"/api/v1%2Fposts", b"/api/v1/posts%2f..%2fusers", b"/api/v1/posts/%2e%2e", b"/api/v1/posts/..;/users",
    b"/api/v1/posts;a=b", b"/api/v1/posts/%00", b"/api/v1/posts/%", b"/api/v1/posts/%zz", b"/api/v1/posts/%ff",
    b"/api/v1/posts/%c0%af", b"/api/v1/posts/%ed%a0%80", b"/api/v1/posts/%250a", b"/api/v1/posts/%0d%0aX-Y:%201",
    b"/api/v1/posts/\xff", b"/api/v1/posts/\xeb\xa7\x88", b"/api\\v1\\posts", b"/docs/assets/..%2f..%2fsetup.cfg",
    b"/docs/assets/%2e%2e/%2e%2e/setup.cfg", b"/docs/assets//etc/passwd", b"/docs/errors/..", b"/docs/errors/%00",
    b"/docs/errors/" + b"A" * 5000, b"/api/v1/posts?", b"/api/v1/posts?&&&", b"/api/v1/posts?=", b"/api/v1/posts?q",
    b"/api/v1/posts?q=%00", b"/api/v1/posts?q=%ff", b"/api/v1/posts?q=%ed%a0%80", b"/api/v1/posts?q=\xff",
    b"/api/v1/posts?page=1&page=2", b"/api/v1/posts?page=1e3", b"/api/v1/posts?page=" + b"9" * 4000,
    b"/api/v1/posts?page=-1", b"/api/v1/posts?page=%D9%A1", b"/api/v1/posts?size=0x10",
    b"/api/v1/posts?cursor=" + b"A" * 3000, b"/api/v1/posts?created_after=99999-01-01T00:00:00Z",
    b"/api/v1/posts?" + b"a=b&" * 1500, b"/api/v1/posts?q=" + b"(" * 90, b"/api/v1/posts?q[]=1", b"/api/v1/posts#x",
    b"/api/v1/posts?q=" + b"x" * 7000, b"/" + b"x" * 20_000,
)  # fmt: skip

CHUNKS = {
    "a good chunk": b"2\r\n{}\r\n0\r\n\r\n",
    "an extension": b"2;a=b\r\n{}\r\n0\r\n\r\n",
    "a long extension": b"2;" + b"a" * 20_000 + b"\r\n{}\r\n0\r\n\r\n",
    "a trailer": b"2\r\n{}\r\n0\r\nAuthorization: Bearer x\r\n\r\n",
    "one byte at a time": b"".join(b"1\r\n%c\r\n" % byte for byte in b'{"title":"t"}')
    + b"0\r\n\r\n",
    "a size that is none": b"zz\r\n{}\r\n0\r\n\r\n",
    "a negative size": b"-2\r\n{}\r\n0\r\n\r\n",
    "a size with a prefix": b"0x2\r\n{}\r\n0\r\n\r\n",
    "a size past 64 bits": b"f" * 17 + b"\r\n{}\r\n0\r\n\r\n",
    "more than 64 KiB": b"18000\r\n" + b"x" * 0x18000 + b"\r\n0\r\n\r\n",
    "less than its size": b"5\r\n{}\r\n0\r\n\r\n",
    "more than its size": b"1\r\n{}\r\n0\r\n\r\n",
    "bare line feeds": b"2\n{}\n0\n\n",
    "no end": b"2\r\n{}\r\n",
}

ODD = {
    "HTTP/1.0": b"GET /api/v1/posts HTTP/1.0\r\n\r\n",
    "HTTP/1.0 with a body": b"POST /api/v1/posts HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}",
    "HTTP/2 in plain": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/3.0": line(b"GET", POSTS, version=b"HTTP/3.0"),
    "http in lower case": line(b"GET", POSTS, version=b"http/1.1"),
    "no Host": b"GET /api/v1/posts HTTP/1.1\r\nConnection: close\r\n\r\n",
    "an empty Host": b"GET /api/v1/posts HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n",
    "a tab in the first line": b"GET\t/healthz\tHTTP/1.1\r\n" + HOST + b"\r\n",
    "bare line feeds": b"GET /healthz HTTP/1.1\nHost: localhost\nConnection: close\n\n",
    "an empty line first": b"\r\n" + line(b"GET", b"/healthz"),
    "a body with GET": line(b"GET", POSTS, b"Content-Length: 2") + b"{}",
    "a body with HEAD": line(b"HEAD", POSTS, b"Content-Length: 2") + b"{}",
    "a body with OPTIONS": line(b"OPTIONS", POSTS, b"Content-Length: 2") + b"{}",
    "no length": line(b"POST", POSTS, b"Content-Type: application/json") + b"{}",
    "a length of -1": line(b"POST", POSTS, b"Content-Length: -1"),
    "a length of +2": line(b"POST", POSTS, b"Content-Length: +2") + b"{}",
    "a list of lengths": line(b"POST", POSTS, b"Content-Length: 2, 2") + b"{}",
    "a length past 64 bits": line(b"POST", POSTS, b"Content-Length: " + b"9" * 30),
    "chunked twice": line(b"POST", POSTS, b"Transfer-Encoding: chunked, chunked") + b"0\r\n\r\n",
    "chunked in disguise": line(b"POST", POSTS, b"Transfer-Encoding: xchunked"),
    "chunked and a length": line(
        b"POST", POSTS, b"Content-Length: 5", b"Transfer-Encoding: chunked"
    )
    + b"0\r\n\r\n",
    "gzip and chunked": line(b"POST", POSTS, b"Transfer-Encoding: gzip, chunked") + b"0\r\n\r\n",
}
UNFINISHED = {
    "NULs": b"\x00" * 100,
    "TLS": bytes.fromhex("16030100c5010000c10303") + b"\x00" * 200,
    "half a first line": b"GET /api/v1/po",
    "half a head": b"GET /api/v1/posts HTTP/1.1\r\nHost: loc",
    "half a body": line(b"POST", POSTS, b"Content-Type: application/json", b"Content-Length: 100") + b'{"title"',
    "half a chunk": line(b"POST", POSTS, b"Content-Type: application/json", b"Transfer-Encoding: chunked") + b"5\r\n{",
    "nothing": b"",
}  # fmt: skip


def all_of_them() -> Iterator[tuple[str, Raw]]:
    good = b'{"title":"t","body":"b"}'
    for name, body in BODIES.items():
        yield f"body: {name}", Raw(post(body))
    for name, value in MEDIA_TYPES.items():
        yield f"media type: {name}", Raw(post(good, media_type=value))
    for name, headers in HEADERS.items():
        yield f"header: {name}", Raw(post(good, *headers))
    for method in METHODS:
        for path in PATHS:
            yield f"method: {method[:8]!r} {path.decode()}", Raw(line(method, path))
    for target in TARGETS:
        yield f"target: {target[:60]!r}", Raw(line(b"GET", target))
    for name, chunks in CHUNKS.items():
        typed = (b"Content-Type: application/json", b"Authorization: Bearer {token}")
        head = line(b"POST", POSTS, *typed, b"Transfer-Encoding: chunked")
        yield (
            f"chunks: {name}",
            Raw(head + chunks, is_whole=name not in {"no end", "less than its size"}),
        )
    for name, raw in ODD.items():
        yield f"odd: {name}", Raw(raw)
    for name, raw in UNFINISHED.items():
        yield f"unfinished: {name}", Raw(raw, is_whole=False)
