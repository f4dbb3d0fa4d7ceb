"""What gunicorn's ASGI worker refuses before there is a request: answered in the one shape too.

gunicorn says it in plain text that quotes what was sent, with statuses that no contract names (414,
431, 501), and offers no setting. This replaces two private methods, pinned with gunicorn's version;
``tests/service/test_unparsable.py`` fails when it no longer fits. Without it gunicorn's own text is back.
"""

from __future__ import annotations

import logging
from typing import Any

from gunicorn.asgi.protocol import ASGIProtocol

from api.errors import InvalidInput
from api.infra.ids import new_name
from api.web.asgi.entry import API_HEADERS
from api.web.errorhandler import JSON, Failure, shape

log = logging.getLogger(__name__)
FAULT = {"request": "is not HTTP/1, or its first line or a header is larger than 8 KiB"}


def install() -> None:
    """For gunicorn's ``post_worker_init``."""
    # Private names: there is no public way.
    for name, ours in (("_send_error_response", _answer), ("_is_websocket_upgrade", _never)):
        if not hasattr(ASGIProtocol, name):
            raise RuntimeError(f"this gunicorn has no {name} to be replaced")
        setattr(ASGIProtocol, name, ours)


def _never(_protocol: Any, _request: Any) -> bool:
    """There are no WebSockets: asking for one is a plain GET, answered, logged and charged as such."""
    return False


def _answer(protocol: Any, status: int, _message: str, _extra_headers: Any = ()) -> None:
    """In place of ``ASGIProtocol._send_error_response``; the connection ends afterwards.

    gunicorn also comes here with a 500 when an answer found its client gone: nobody is told then.
    """
    if protocol.transport is None or protocol.transport.is_closing():
        return
    request_id = new_name()
    refusal = None if status == 500 else InvalidInput(FAULT)
    log.info("unparsable request", extra={"request_id": request_id, "status": status})
    found = shape(refusal, request_id=request_id)
    protocol.transport.write(_on_the_wire(found, request_id))


def _on_the_wire(found: Failure, request_id: str) -> bytes:
    headers = {
        **API_HEADERS,
        **found.headers,
        "Content-Type": JSON,
        "Content-Length": str(len(found.body)),
        "X-Request-ID": request_id,
        "Connection": "close",
    }
    lines = [f"HTTP/1.1 {found.status.value} {found.status.phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + found.body
