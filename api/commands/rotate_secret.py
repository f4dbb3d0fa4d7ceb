"""Exchanging a secret while people are served: nobody notices.

A process that does not know a key yet must never meet a token that it signed. So the new key comes first as
one that is believed, then as the one that signs, and the old one goes when its last token has ended. The
password of the database is one for all; connections that are refused it look for the new one.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
from psycopg2 import sql

from api.infra.tokens import LEEWAY, LIFETIME

KEY, PREVIOUS, DATABASE = "JWT_SECRET_KEY", "JWT_SECRET_KEY_PREVIOUS", "DATABASE_URL"
STEPS = ("prepare", "switch", "finish")
MINUTES = (LIFETIME + LEEWAY) // 60 + 1
RELOAD = "Now let every process know (SIGHUP to gunicorn, or ./scripts/rollout), then"


class CannotRotate(Exception):
    """Nothing was changed."""


def rotate_key(env: Mapping[str, str], step: str, *, now: bool = False) -> Iterator[str]:
    """One step for the key that signs access tokens. Raises ``CannotRotate``.

    *now*: the last one does not wait for tokens of the old key to end, which has leaked.
    """
    if f"{KEY}_FILE" not in env:
        yield _told(step)
        return
    key, previous = _file(env, KEY), _file(env, PREVIOUS)
    present, other = _content(key), _content(previous) if previous.exists() else ""
    if step == "prepare":
        if other:
            raise CannotRotate("There is a second key already: switch or finish comes next")
        _replace(previous, secrets.token_hex(32))
        yield f"A second key is believed. {RELOAD}: madang rotate-secret {KEY} switch"
        return
    if not other:
        raise CannotRotate("There is no second key: prepare comes first")
    if step == "switch":
        _replace(previous, present)
        _replace(key, other)
        yield f"The second key signs. {RELOAD}, {MINUTES} minutes later: madang rotate-secret {KEY} finish"
        return
    if not now and (left := key.stat().st_mtime + LIFETIME + LEEWAY - time.time()) > 0:
        raise CannotRotate(
            f"Tokens of the old key may live for {left:.0f} more seconds; after a leak: --now"
        )
    _replace(previous, "")
    yield "The old key is gone, once every process was told (SIGHUP to gunicorn, or ./scripts/rollout)."


def rotate_database_password(env: Mapping[str, str]) -> Iterator[str]:
    """Give the role of DATABASE_URL a new password, there and in the file. Raises ``CannotRotate``."""
    if f"{DATABASE}_FILE" not in env:
        raise CannotRotate(
            f"{DATABASE} comes from the environment, which no running process sees change: "
            f"name a file in {DATABASE}_FILE, or make a second role and deploy with it"
        )
    file = _file(env, DATABASE)
    coming = file.with_name(f"{file.name}.next")
    if not coming.exists():
        _replace(coming, _with_password(_content(file), secrets.token_hex(32)))
    try:
        _alter(_content(file), _content(coming))
    except psycopg2.Error as fault:
        # It may have been done when this was interrupted.
        if not _works(_content(coming)):
            raise CannotRotate(
                f"The database refuses: {str(fault).strip().splitlines()[0]}"
            ) from fault
    coming.rename(file)
    yield f"The role has a new password, and {file} holds it."


def _alter(url: str, new: str) -> None:
    parts = urlsplit(new)
    with closing(psycopg2.connect(_plain(url), connect_timeout=10)) as connection, connection:
        statement = sql.SQL("ALTER ROLE {} PASSWORD {}").format(
            sql.Identifier(parts.username or ""), sql.Literal(parts.password)
        )
        connection.cursor().execute(statement)


def _works(url: str) -> bool:
    try:
        psycopg2.connect(_plain(url), connect_timeout=10).close()
    except psycopg2.Error:
        return False
    return True


def _plain(url: str) -> str:
    return urlsplit(url)._replace(scheme="postgresql").geturl()


def _with_password(url: str, password: str) -> str:
    parts = urlsplit(url)
    _, _, place = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{parts.username}:{password}@{place}").geturl()


def _told(step: str) -> str:
    """What somebody does whose secrets stand in the environment, as on Render."""
    return {
        "prepare": f"Set {PREVIOUS} to a new key (openssl rand -hex 32) and deploy; then: switch",
        "switch": f"Exchange the values of {KEY} and {PREVIOUS} and deploy; {MINUTES} minutes later: finish",
        "finish": f"Remove {PREVIOUS} and deploy.",
    }[step]


def _file(env: Mapping[str, str], name: str) -> Path:
    if not (named := env.get(f"{name}_FILE")):
        raise CannotRotate(f"{name}_FILE is not set: it names where the second key is kept")
    return Path(named)


def _content(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError as fault:
        raise CannotRotate(f"{file} cannot be read: {fault.strerror}") from fault


def _replace(file: Path, text: str) -> None:
    """In one move, readable to those to whom it was; a new one to its owner alone."""
    new = file.with_name(f"{file.name}.new")
    try:
        mode = file.stat().st_mode & 0o777 if file.exists() else 0o600
        new.unlink(missing_ok=True)
        with open(
            os.open(new, os.O_CREAT | os.O_WRONLY | os.O_EXCL, mode), "w", encoding="utf-8"
        ) as out:
            os.fchmod(out.fileno(), mode)
            out.write(f"{text}\n")
            out.flush()
            os.fsync(out.fileno())
        new.rename(file)
    except OSError as fault:
        raise CannotRotate(f"{file} cannot be written: {fault.strerror}") from fault
