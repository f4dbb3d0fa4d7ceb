"""O3, O4: posts get a column, values, an index and a rule while people use them; then hosts are replaced."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from statistics import quantiles
from threading import Timer

import psycopg2
import pytest
from alembic.script import ScriptDirectory

from tests import live, nginx
from tests.deploy.rolling import GOOD, Host, answers, callers
from tests.faults.conftest import Makes, Yard, log_in
from tests.size import note, size, without_busy
from tests.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.no_cover]  # what is tested are other processes
POSTS = size(5_000, 1_000_000)
IN_THE_WAY = size(4, 30)
"""Seconds that a forgotten transaction holds the table."""
IN_TIME = size(2_000, 500)
"""Milliseconds, for 99 of 100 requests."""
STEPS = {
    "one": 'op.add_column("posts", sa.Column("minutes", sa.BigInteger()))',
    "two": 'online.backfill("posts", "minutes = 1 + length(body) / 1000", "minutes IS NULL")',
    "three": 'online.create_index("ix_posts_minutes", "posts", "minutes")',
    "four": 'op.execute("ALTER TABLE posts ADD CONSTRAINT ck_posts_minutes CHECK (minutes > 0) NOT VALID")',
    "five": 'online.validate("posts", "ck_posts_minutes")',
}
MIGRATION = """
import sqlalchemy as sa
from alembic import op
from api.infra import online

revision, down_revision = {name!r}, {before!r}


def upgrade():
    {step}
"""
RELEASE = """
import sys
from pathlib import Path

from api.cli import main
from api.commands import migrations

migrations.MIGRATIONS = Path(sys.argv[1])

main(["release"])
"""


@pytest.fixture
def migrations(tmp_path: Path) -> Path:
    """Ours, and those of a coming release."""
    folder = tmp_path / "migrations"
    shutil.copytree(live.ROOT / "migrations", folder)
    [before] = ScriptDirectory(str(folder)).get_heads()
    for name, step in STEPS.items():
        text = MIGRATION.format(name=name, before=before, step=step)
        (folder / "versions" / f"{name}.py").write_text(text, encoding="utf-8")
        before = name
    return folder


@contextmanager
def in_the_way(yard: Yard) -> Iterator[None]:
    """Somebody looked at a post, and went for coffee."""
    with closing(psycopg2.connect(yard.postgres.superuser_url)) as forgotten:
        forgotten.cursor().execute("SELECT 1 FROM posts LIMIT 1")
        end = Timer(IN_THE_WAY, forgotten.rollback)
        end.start()
        yield
        end.join()


def release(yard: Yard, migrations: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", RELEASE, migrations],
        cwd=live.ROOT,
        env={**yard.settings, "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def again(yard: Yard, number: int) -> dict[str, str]:
    return log_in(yard.server, f"person{number}@example.com")


def test_nobody_notices(make_yard: Makes, migrations: Path, tmp_path: Path) -> None:
    yard = make_yard()
    live.madang(f"seed --profile large --posts {POSTS}", yard.settings)
    settings = yard.settings | {"TRUSTED_PROXY_HOPS": "1", "PUBLIC_URL": yard.url}
    with ExitStack() as stack:
        hosts = [Host(settings, tmp_path / name) for name in ("one", "two")]
        for host in hosts:
            stack.callback(host.stop)
        urls = [host.server.url for host in hosts]
        url = stack.enter_context(nginx.in_front_of(*urls, home=tmp_path))
        with callers(url, yard.people, partial(again, yard)) as crowd:
            until(lambda: answers(crowd).total() > 100)
            began = time.monotonic()
            with in_the_way(yard):
                release(yard, migrations)
            took = time.monotonic() - began
            for host in hosts:
                host.restart()

    times = [each for caller in crowd for each in caller.times]
    p99 = quantiles(times, n=100)[98] * 1000
    note(
        f"A migration on {POSTS} posts under load, then a rolling release",
        f"{took:.0f} s for five steps, with a transaction in the way for {IN_THE_WAY} s; answers "
        f"{dict(answers(crowd))}, p99 {p99:.0f} ms, slowest {max(times):.2f} s",
    )
    filled = "SELECT count(*) FROM posts WHERE minutes IS NULL AND title NOT IN ('마당', '꽃')"
    assert yard.rows(filled) == [(0,)]
    assert yard.rows(
        "SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix_posts_minutes'::regclass"
    ) == [(True,)]
    assert yard.rows(
        "SELECT convalidated FROM pg_constraint WHERE conname = 'ck_posts_minutes'"
    ) == [(True,)]
    assert without_busy(answers(crowd)).keys() == GOOD
    assert p99 < IN_TIME
