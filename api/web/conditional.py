"""``ETag``, ``If-None-Match`` and ``If-Match`` (RFC 9110, 8.8.3 and 13.1).

A tag is ``"<version>-<hash of the body>"``. Readers compare all of it, for a counter may have moved. Writers
compare the version alone: that somebody commented in between does not make a change of the post a lost one.
"""

from __future__ import annotations

import hashlib
import re

from flask import Response, request
from werkzeug.http import quote_etag, unquote_etag

from api.infra.versions import Seen
from api.web import tags

TAG = re.compile(r"([0-9]{1,18})-[0-9a-f]{8}")
NO_VERSION = 0
"""Of a list, which nobody can change as such."""


def tag(response: Response, version: int) -> Response:
    digest = hashlib.sha256(response.get_data()).hexdigest()[:8]
    response.headers["ETag"] = quote_etag(f"{version}-{digest}")
    return response


def seen_versions() -> Seen:
    """What ``If-Match`` names. A tag that was never ours stands for no version."""
    headers = request.headers.getlist("If-Match")
    if not headers or tags.names_any(headers):
        return None
    found = map(TAG.fullmatch, tags.named(headers))
    return frozenset(int(match[1]) for match in found if match)


def finished(response: Response, *, is_public: bool) -> Response:
    """304 instead of a body that the caller has already. Only for what they may see: to be asked last.

    *is_public*: nobody said who they are, so anybody may keep the answer, and ask whether it still stands.
    """
    known, _ = unquote_etag(response.headers.get("ETag"))
    if known is None:
        return response
    asked = request.headers.getlist("If-None-Match")
    if tags.names_any(asked) or known in tags.named(asked):
        response = _without_body(response)
    if is_public:
        response.headers["Cache-Control"] = "no-cache"
        response.vary.update(("Authorization", "X-API-Key"))
    return response


def _without_body(response: Response) -> Response:
    short = Response(status=304, headers={"ETag": response.headers["ETag"]})
    del short.headers["Content-Type"]
    return short
