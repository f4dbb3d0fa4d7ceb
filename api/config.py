"""Settings: read once, checked once with every fault named, then immutable."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast
from urllib.parse import urlsplit

Environment = Literal["development", "test", "production"]
ENVIRONMENTS = ("development", "test", "production")
SHORTEST_SECRET = 32
"""Bytes: HS256 is no stronger than its key (RFC 7518, 3.2)."""
WEAK = ("secret", "change", "default", "example", "password", "madang")
PREDICTABLE = 0.6
"""What repeats or counts up becomes so much shorter by compression; random digits do not."""
ORIGIN = re.compile(r"(https?)://([a-z0-9.-]+|\[[0-9a-f:]+\])(:[0-9]{1,5})?")
"""As browsers write it in their Origin header, with which it is compared."""
USUAL_PORTS = {"http": ":80", "https": ":443"}
COMMIT = re.compile(r"[0-9a-f]{7,64}")
LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Misconfigured(Exception):
    """The environment cannot be served from; the text has a line for each fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    environment: Environment
    database_url: str
    database_url_file: str | None = field(compare=False)
    """Where it was read from, and where another password may come to stand while we run."""
    redis_url: str
    jwt_secret_key: str
    jwt_secret_key_previous: str | None
    public_url: str
    cors_origins: tuple[str, ...]
    trusted_proxy_hops: int
    """How many proxies of ours append to X-Forwarded-For."""
    rate_limit_scale: float
    """Multiplies every rate limit; a benchmark raises it, nothing switches limits off."""
    log_level: str
    port: int
    web_concurrency: int
    admin_email: str | None
    admin_password: str | None
    audit_retention_days: int
    revision: str | None
    """The commit that this was built of, if the build or the platform says so."""
    metrics_port: int
    """0: no metrics are served."""
    otel_exporter_otlp_endpoint: str | None
    """Where traces go; without it there are none."""
    otel_exporter_otlp_headers: str | None
    """As OpenTelemetry writes them: name=value, separated by commas."""
    otel_traces_sampler_arg: float
    """How many of the requests are traced whose callers do not say."""

    @property
    def debug(self) -> bool:
        return self.environment == "development"

    @property
    def signing_keys(self) -> tuple[str, ...]:
        """The present one first."""
        keys = (self.jwt_secret_key, self.jwt_secret_key_previous)
        return tuple(key for key in keys if key)

    @property
    def https(self) -> bool:
        return self.public_url.startswith("https://")

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Settings:
        """Read the environment. Raises ``Misconfigured`` with every fault at once."""
        source = _Source(env)
        port = source.integer("PORT", 8000, 1, 65535)
        settings = cls(
            environment=cast(Environment, source.choice("ENVIRONMENT", ENVIRONMENTS)),
            database_url=source.url("DATABASE_URL", ("postgres", "postgresql")),
            database_url_file=env.get("DATABASE_URL_FILE") or None,
            redis_url=source.url("REDIS_URL", ("redis", "rediss")),
            jwt_secret_key=source.required("JWT_SECRET_KEY"),
            jwt_secret_key_previous=source.optional("JWT_SECRET_KEY_PREVIOUS"),
            public_url=source.public_url(port),
            cors_origins=tuple((source.optional("CORS_ORIGINS") or "").replace(",", " ").split()),
            trusted_proxy_hops=source.integer("TRUSTED_PROXY_HOPS", 0, 0, 10),
            rate_limit_scale=source.number("RATE_LIMIT_SCALE", 1.0, 1_000_000),
            log_level=source.choice("LOG_LEVEL", ("DEBUG", "INFO", "WARNING", "ERROR"), "INFO"),
            port=port,
            web_concurrency=source.integer("WEB_CONCURRENCY", 2, 1, 256),
            admin_email=source.optional("ADMIN_EMAIL"),
            admin_password=source.optional("ADMIN_PASSWORD"),
            audit_retention_days=source.integer("AUDIT_RETENTION_DAYS", 365, 1, 36_500),
            revision=source.revision(),
            metrics_port=source.integer("METRICS_PORT", 0, 0, 65535),
            otel_exporter_otlp_endpoint=source.optional_url(
                "OTEL_EXPORTER_OTLP_ENDPOINT", ("http", "https")
            ),
            otel_exporter_otlp_headers=source.optional("OTEL_EXPORTER_OTLP_HEADERS"),
            otel_traces_sampler_arg=source.number("OTEL_TRACES_SAMPLER_ARG", 0.01, 1),
        )
        faults = source.faults + _secret_faults(settings) + _address_faults(settings)
        if bool(settings.admin_email) != bool(settings.admin_password):
            faults.append("ADMIN_EMAIL and ADMIN_PASSWORD go together")
        if settings.metrics_port and settings.metrics_port == settings.port:
            faults.append("METRICS_PORT must not be PORT, which is public")
        if faults:
            raise Misconfigured("\n".join(faults))
        return settings


class _Source:
    """The environment, or the file that NAME_FILE names; gathers faults instead of stopping."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self.env = env
        self.faults: list[str] = []

    def optional(self, name: str) -> str | None:
        if path := self.env.get(f"{name}_FILE"):
            try:
                return Path(path).read_text(encoding="utf-8").strip() or None
            except (OSError, UnicodeError):
                self.faults.append(f"{name}_FILE names a file that cannot be read")
        return self.env.get(name) or None

    def required(self, name: str) -> str:
        value = self.optional(name)
        if value is None:
            self.faults.append(f"{name} is not set")
        return value or ""

    def choice(self, name: str, allowed: tuple[str, ...], default: str = "") -> str:
        value = self.optional(name) or default
        if value not in allowed:
            self.faults.append(f"{name} must be one of {', '.join(allowed)}")
        return value

    def url(self, name: str, schemes: tuple[str, ...]) -> str:
        self.required(name)
        return self.optional_url(name, schemes) or ""

    def optional_url(self, name: str, schemes: tuple[str, ...]) -> str | None:
        value = self.optional(name)
        if value and _scheme(value).partition("+")[0] not in schemes:
            begins = " or ".join(f"{scheme}://" for scheme in schemes)
            self.faults.append(f"{name} must be a URL that begins with {begins}")
            return None
        return value

    def public_url(self, port: int) -> str:
        """Without a trailing slash. Render tells; else only a machine of one's own can be guessed."""
        given = self.optional("PUBLIC_URL") or self.optional("RENDER_EXTERNAL_URL")
        if given is None and self.optional("ENVIRONMENT") == "production":
            self.faults.append("PUBLIC_URL is not set")
        return (given or f"http://localhost:{port}").rstrip("/")

    def revision(self) -> str | None:
        given = self.optional("REVISION") or self.optional("RENDER_GIT_COMMIT")
        if given and not COMMIT.fullmatch(given):
            self.faults.append("REVISION must be the hash of a commit")
        return given

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        text = self.optional(name) or str(default)
        value = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else low - 1
        if not low <= value <= high:
            self.faults.append(f"{name} must be a whole number from {low} to {high}")
        return value

    def number(self, name: str, default: float, most: float) -> float:
        try:
            value = float(self.optional(name) or default)
        except ValueError:
            value = 0.0
        if not 0 < value <= most:
            self.faults.append(f"{name} must be a number above 0 and at most {most:.0f}")
        return value


def _scheme(url: str) -> str:
    """Empty when host or port cannot be read, for which urllib raises."""
    try:
        parts = urlsplit(url)
        return parts.scheme if parts.port != 0 else ""
    except ValueError:
        return ""


def _secret_faults(settings: Settings) -> list[str]:
    faults = []
    for name in ("jwt_secret_key", "jwt_secret_key_previous"):
        secret = getattr(settings, name)
        if not secret:
            continue
        if len(secret.encode()) < SHORTEST_SECRET:
            faults.append(f"{name.upper()} must have at least {SHORTEST_SECRET} bytes")
        elif settings.environment == "production" and _is_weak(secret):
            faults.append(f"{name.upper()} can be guessed: make one with `openssl rand -hex 32`")
    if settings.jwt_secret_key and settings.jwt_secret_key == settings.jwt_secret_key_previous:
        faults.append("JWT_SECRET_KEY and JWT_SECRET_KEY_PREVIOUS must differ")
    passwords = [urlsplit(settings.database_url).password, urlsplit(settings.redis_url).password]
    if settings.jwt_secret_key and settings.jwt_secret_key in [*passwords, settings.admin_password]:
        faults.append("JWT_SECRET_KEY must not be used as another secret")
    return faults


def _is_weak(secret: str) -> bool:
    if len(zlib.compress(secret.encode(), 9)) < PREDICTABLE * len(secret):
        return True
    return len(set(secret)) < 10 or any(word in secret.lower() for word in WEAK)


def _address_faults(settings: Settings) -> list[str]:
    faults = []
    url = urlsplit(settings.public_url if _scheme(settings.public_url) else "")
    if not url.hostname or not _is_origin(settings.public_url):
        faults.append("PUBLIC_URL must be an origin such as https://api.example.com")
    elif settings.environment == "production" and not (settings.https or url.hostname in LOOPBACK):
        faults.append("PUBLIC_URL must be https in production")
    if not all(map(_is_origin, settings.cors_origins)):
        faults.append("CORS_ORIGINS must list exact origins such as https://app.example.com")
    return faults


def _is_origin(text: str) -> bool:
    origin = ORIGIN.fullmatch(text)
    return origin is not None and origin[3] != USUAL_PORTS[origin[1]]
