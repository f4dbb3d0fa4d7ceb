"""The cookie that carries the refresh token, and who may use it from where (RFC 6265bis, OWASP)."""

from __future__ import annotations

from flask import Request, Response

from api.config import Settings
from api.errors import Forbidden, Unauthorized
from api.models.login_session import IDLE


def name(settings: Settings) -> str:
    """``__Host-`` ties the cookie to this host and https; a browser refuses it on plain http."""
    return "__Host-refresh_token" if settings.https else "refresh_token"


def set_on(response: Response, settings: Settings, token: str) -> Response:
    _write(response, settings, token, max_age=int(IDLE.total_seconds()))
    return response


def clear_on(response: Response, settings: Settings) -> Response:
    _write(response, settings, "", max_age=0)
    return response


def read(request: Request, settings: Settings) -> str:
    """The token of the caller.

    Raises ``Forbidden`` when another site may have sent the request, ``Unauthorized`` when there is
    no cookie or more than one (somebody may have tossed theirs in).
    """
    _refuse_other_sites(request, settings)
    wanted = name(settings)
    pairs = (pair.strip().partition("=") for pair in request.headers.get("Cookie", "").split(";"))
    values = [value for key, _, value in pairs if key == wanted]
    if len(values) != 1 or not values[0]:
        raise Unauthorized()
    return values[0]


def _refuse_other_sites(request: Request, settings: Settings) -> None:
    origin = request.headers.get("Origin")
    if request.headers.get("Sec-Fetch-Site") == "cross-site":
        raise Forbidden()
    if origin is not None and origin != settings.public_url:
        raise Forbidden({"Origin": "is not that of this service"})
    if origin is None and "X-Requested-With" not in request.headers:
        raise Forbidden({"X-Requested-With": "is required without an Origin"})


def _write(response: Response, settings: Settings, token: str, *, max_age: int) -> None:
    response.set_cookie(
        name(settings),
        token,
        max_age=max_age,
        path="/",
        secure=settings.https,
        httponly=True,
        samesite="Strict",
    )
