"""Where the servers live when their user cannot reach the checkout. Only root has such a user."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts import embedded
from scripts.embedded import place
from scripts.home import Refused


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[Path]:
    """A checkout in a home that its owner alone may enter."""
    checkout = tmp_path / "home" / "yard"
    checkout.mkdir(parents=True)
    checkout.parent.chmod(0o700)
    yield checkout
    home = checkout / ".madang"
    if home.is_symlink():
        shutil.rmtree(home.resolve())


def test_root_puts_the_data_elsewhere_and_leaves_a_link(closed: Path) -> None:
    home = embedded.settle(closed / ".madang")
    assert (closed / ".madang").is_symlink() == (os.geteuid() == 0)
    assert home == (closed / ".madang").resolve()
    assert embedded.settle(closed / ".madang") == home


def test_secrets_that_stood_there_move_along(closed: Path) -> None:
    (closed / ".madang").mkdir()
    (closed / ".madang/jwt_secret_key").write_text("a key")
    home = embedded.settle(closed / ".madang")
    assert (home / "jwt_secret_key").read_text() == "a key"


def test_a_copied_link_does_not_share_the_data_of_the_original(
    closed: Path, tmp_path: Path
) -> None:
    other = closed.with_name("copy")
    other.mkdir()
    (other / ".madang").symlink_to(place.ELSEWHERE / "0123456789abcdef")
    home = embedded.settle(other / ".madang")
    try:
        assert home.name != "0123456789abcdef"
    finally:
        shutil.rmtree(home)


def test_a_link_of_ones_own_stays(closed: Path) -> None:
    with embedded.scratch_home() as disk:
        (closed / ".madang").symlink_to(disk)
        assert embedded.settle(closed / ".madang") == disk
        (closed / ".madang").unlink()


def test_a_new_clone_at_the_same_path_begins_anew(closed: Path) -> None:
    first = embedded.settle(closed / ".madang")
    (first / "seeded").touch()
    if (closed / ".madang").is_symlink():
        (closed / ".madang").unlink()
    else:
        shutil.rmtree(closed / ".madang")
    assert not (embedded.settle(closed / ".madang") / "seeded").exists()


def test_programs_of_the_system_can_take_the_place_of_the_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "initdb").touch()
    monkeypatch.setenv("MADANG_PG_BIN", str(tmp_path))
    assert place.postgres_programs() == tmp_path
    monkeypatch.setenv("MADANG_PG_BIN", str(tmp_path / "none"))
    with pytest.raises(Refused, match=r"MADANG_PG_BIN=.* holds no initdb"):
        place.postgres_programs()
