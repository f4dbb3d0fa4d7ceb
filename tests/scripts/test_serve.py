"""./scripts/run: what it says when it cannot start, and that all of it ends together."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from scripts.embedded import scratch_home
from scripts.home import Refused, only_one, secret
from scripts.process import stop_leftover
from tests.scripts.checkout import ROOT, Run, copy_checkout, processes_naming, running
from tests.waiting import until


@pytest.fixture
def checkout() -> Iterator[Path]:
    with scratch_home() as folder:
        yield copy_checkout(folder / "a yard")


def home_of(checkout: Path) -> Path:
    return (checkout / ".madang").resolve()


class TestRefusals:
    def test_a_taken_port_is_one_line(self, checkout: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            with running(checkout, PORT=str(port)) as run:
                assert run.process.wait(30) == 1
        assert run.log.read_text().splitlines() == [
            f"Port {port} is taken: choose another, such as PORT={port % 65535 + 1} ./scripts/run"
        ]

    @pytest.mark.parametrize("port", ["0", "65536", "http", "-1"])
    def test_a_port_that_is_none_is_one_line(self, checkout: Path, port: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "scripts.serve"],
            cwd=checkout,
            env={"PATH": os.environ["PATH"], "PORT": port},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (
            1,
            f"PORT must be a number from 1 to 65535, not {port}\n",
        )

    def test_a_second_holder_of_the_folder_is_told_of_the_first(self, tmp_path: Path) -> None:
        with (
            only_one(tmp_path, "http://localhost:8000 (process 7)"),
            pytest.raises(Refused, match=r"^Already running: http://localhost:8000 \(process 7\)$"),
            only_one(tmp_path, "another"),
        ):
            pass

    def test_only_one_that_was_killed_is_known_as_killed(self, tmp_path: Path) -> None:
        with only_one(tmp_path, "first") as killed:
            assert not killed
        with only_one(tmp_path, "second") as killed:
            assert not killed
        (tmp_path / "lock").write_text("was killed")
        with only_one(tmp_path, "third") as killed:
            assert killed


def test_a_secret_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    first = secret(tmp_path, "key")
    assert len(first) == 48
    assert secret(tmp_path, "key") == first
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


def test_a_pid_file_without_sense_is_no_obstacle(tmp_path: Path) -> None:
    for text in ("", "nonsense", "999999999\n", str(os.getpid())):
        (tmp_path / "pid").write_text(text)
        stop_leftover(tmp_path / "pid", tmp_path / "data", signal.SIGKILL)


def test_with_servers_of_ones_own_the_embedded_ones_are_not_imported(checkout: Path) -> None:
    (checkout / "scripts/embedded/__init__.py").write_text("raise AssertionError('imported')\n")
    own = {"DATABASE_URL": "postgresql://u:p@127.0.0.1:1/none", "REDIS_URL": "redis://127.0.0.1:1"}
    with running(checkout, **own) as run:
        assert run.process.wait(60) == 1
    assert "madang release failed" in run.log.read_text()
    assert "imported" not in run.log.read_text()


@pytest.fixture(scope="module")
def shared() -> Iterator[Run]:
    """One that nobody ends."""
    with scratch_home() as folder, running(copy_checkout(folder / "a yard")) as run:
        run.await_banner()
        yield run


@pytest.mark.slow
class TestTheWholeService:
    def test_it_answers_where_the_banner_says(self, shared: Run) -> None:
        assert f"http://localhost:{shared.port}/docs" in shared.log.read_text()
        with urlopen(f"http://127.0.0.1:{shared.port}/readyz") as answer:
            assert answer.status == 200

    def test_the_demo_account_of_the_banner_can_log_in(self, shared: Run) -> None:
        httpx = pytest.importorskip("httpx")
        line = next(line for line in shared.log.read_text().splitlines() if "log in" in line)
        email, _, password = line.split("log in")[1].strip().partition(" / ")
        answer = httpx.post(
            f"http://127.0.0.1:{shared.port}/api/v1/auth/login",
            json={"email": email, "password": password},
        )
        assert answer.status_code == 200

    def test_a_second_run_of_the_checkout_says_so(self, shared: Run) -> None:
        with running(shared.log.parent) as second:
            assert second.process.wait(30) == 1
        assert second.log.read_text().splitlines() == [
            f"Already running: http://localhost:{shared.port} (process {shared.process.pid})"
        ]

    def test_killed_it_leaves_nothing_that_blocks_the_next_start(self, checkout: Path) -> None:
        with running(checkout) as run:
            run.await_banner()
            run.process.kill()
            run.process.wait()
        with running(checkout, PORT=str(run.port)) as again:
            again.await_banner()
            assert again.end() == 0
        until(lambda: processes_naming(str(home_of(checkout))) == [])

    @pytest.mark.parametrize("name", ["postgres -D", "valkey-server", "gunicorn -c"])
    def test_when_one_process_dies_all_end_with_its_name(self, checkout: Path, name: str) -> None:
        with running(checkout) as run:
            run.await_banner()
            os.kill(child_of(run.process.pid, name), signal.SIGKILL)
            assert run.process.wait(60) == 1
        assert "so everything was stopped" in run.log.read_text()
        assert processes_naming(str(home_of(checkout))) == []

    def test_it_ends_without_a_trace_but_its_folder_and_fresh_begins_anew(
        self, checkout: Path
    ) -> None:
        with running(checkout) as run:
            run.await_banner()
            assert run.end(signal.SIGINT) == 0
        assert run.log.read_text().endswith("Stopped\n")
        assert processes_naming(str(home_of(checkout))) == []
        key = (home_of(checkout) / "jwt_secret_key").read_text()
        (home_of(checkout) / "mine").touch()
        with running(checkout, "--fresh") as run:
            run.await_banner()
        assert not (home_of(checkout) / "mine").exists()
        assert (home_of(checkout) / "jwt_secret_key").read_text() != key


def child_of(parent: int, text: str) -> int:
    """The child whose command line holds ``text``, which tells it from its siblings."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    lines = {
        int(pid): Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ") for pid in children
    }
    return next(pid for pid, line in lines.items() if text in line)


def test_every_script_is_executable_and_names_its_shell() -> None:
    for name in ("run", "test", "check", "lock"):
        script = ROOT / "scripts" / name
        assert os.access(script, os.X_OK)
        assert script.read_text().startswith("#!/usr/bin/env bash\n")
        assert "set -euo pipefail" in script.read_text()


def test_run_works_from_any_folder(tmp_path: Path) -> None:
    command = ROOT / "scripts/run"
    done = subprocess.run(
        [command, "--help"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "--fresh" in done.stdout
