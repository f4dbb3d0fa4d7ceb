"""``madang``: what an operator does from a shell."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial

import click
from flask import Flask
from flask.cli import FlaskGroup

from api.app import create_app
from api.commands import add_person, migrations, rotate_secret
from api.commands.clean_up import clean_up as run_clean_up
from api.commands.release import release as run_release
from api.commands.seed import seed as seed_demo
from api.commands.seed_contract import seed as seed_contract
from api.commands.seed_large import seed as seed_large
from api.config import Misconfigured, Settings
from api.errors import DomainError
from api.infra.db import translated
from api.web.runtime import runtime


def _flask() -> Flask:
    try:
        flask = create_app(Settings.from_env(os.environ)).flask
    except Misconfigured as err:
        sys.exit(f"madang cannot start:\n{err}")
    migrations.attach(flask)
    return flask


main = FlaskGroup(
    name="madang",
    create_app=_flask,
    add_default_commands=False,
    add_version_option=False,
    set_debug_flag=False,
    load_dotenv=False,
    help="Madang's commands. Settings come from the environment (see .env.example).",
)


@main.command("create-admin")
@click.option("--email", required=True)
@click.option("--username", required=True)
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
def create_admin(email: str, username: str, password_stdin: bool) -> None:
    """Make an administrator."""
    password = sys.stdin.readline().rstrip("\n") if password_stdin else _ask_password()
    body = {"email": email, "username": username, "password": password}
    with _refusals():
        add_person(body, role="admin")
    click.echo(f"{username} is an administrator now.")


@main.command("seed")
@click.option(
    "--profile",
    type=click.Choice(["demo", "large", "contract-test"]),
    default="demo",
    show_default=True,
    help="A few posts for a first look, as many as a benchmark needs, or fixed ids and keys.",
)
@click.option(
    "--posts",
    type=click.IntRange(1, 5_000_000),
    default=100_000,
    show_default=True,
    help="How many, of the large profile.",
)
@click.option(
    "--people",
    type=click.IntRange(1, 100_000),
    default=10_000,
    show_default=True,
    help="How many, of the large profile.",
)
@click.option("--reset", is_flag=True, help="Of contract-test: as it was, whatever was done to it.")
def seed(profile: str, posts: int, people: int, *, reset: bool) -> None:
    """Load demo data; a second time changes nothing."""
    load: dict[str, Callable[[Settings], Iterable[str]]] = {
        "demo": seed_demo,
        "contract-test": partial(seed_contract, reset=reset),
        "large": partial(seed_large, posts=posts, people=people),
    }
    with _refusals():
        for line in load[profile](runtime().settings):
            click.echo(line)


@main.command("routes")
def routes() -> None:
    """List the operations of the contract with who may call them."""
    for operation in runtime().contract.operations.values():
        line = f"{operation.method:6} {operation.path:28} {operation.policy.role:10} {operation.id}"
        click.echo(line)


@main.command("release")
def release() -> None:
    """Migrate the database and make the first administrator, one host at a time."""
    with _refusals():
        for line in run_release(runtime().settings):
            click.echo(line)


@main.command("clean-up")
def clean_up() -> None:
    """Remove old audit rows, dead sessions, past failed logins and kept answers; run it every day."""
    with _refusals():
        for line in run_clean_up(runtime().settings):
            click.echo(line)


@main.command("rotate-secret", with_appcontext=False)
@click.argument("name", type=click.Choice([rotate_secret.KEY, rotate_secret.DATABASE]))
@click.argument("step", type=click.Choice(rotate_secret.STEPS), required=False)
@click.option(
    "--now",
    is_flag=True,
    help="Of finish, after a leak: the old key goes although tokens of it live; everybody refreshes.",
)
def rotate(name: str, step: str | None, *, now: bool) -> None:
    """Exchange the key of tokens, in three steps, or the password of the database, while people are served."""
    if (name == rotate_secret.KEY) != bool(step):
        steps = ", ".join(rotate_secret.STEPS)
        raise click.UsageError(
            f"{rotate_secret.KEY} takes a step ({steps}), {rotate_secret.DATABASE} takes none"
        )
    if now and step != "finish":
        raise click.UsageError("--now is of finish alone")
    try:
        lines = (
            rotate_secret.rotate_key(os.environ, step, now=now)
            if step
            else rotate_secret.rotate_database_password(os.environ)
        )
        for line in lines:
            click.echo(line)
    except rotate_secret.CannotRotate as fault:
        sys.exit(str(fault))


@contextmanager
def _refusals() -> Iterator[None]:
    """What a client would be told, an operator is told in the same words; also of the database."""
    try:
        with translated():
            yield
    except DomainError as err:
        sys.exit(_reason(err))


def _ask_password() -> str:
    password = getpass.getpass("Password: ")
    if password != getpass.getpass("Again: "):
        sys.exit("The passwords differ.")
    return password


def _reason(err: DomainError) -> str:
    faults = "".join(f"\n  {field}: {fault}" for field, fault in err.details.items())
    return f"{err.message}{faults}{_cause(err)}"


def _cause(err: DomainError) -> str:
    """What the server of DATABASE_URL said, which names it but no password."""
    said = str(getattr(err.__cause__, "orig", None) or "").strip()
    return f"\n  {said.splitlines()[0]}" if said else ""
