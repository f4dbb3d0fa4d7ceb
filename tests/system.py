"""Programs of the system and of npm that slow tests need: found, installed where that is possible, else named.

    python -m tests.system       installs what is missing, system packages as root on Debian or Ubuntu

As a pytest plugin it lists at the end which tests a missing package cost, and with CI=true makes every skip a failure.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ROOT / "tests/contract/tools"
NODE_TOOLS = ("npm", "ci", "--prefix", "tests/contract/tools")
"""Installs the contract-test tools of npm; kept apart from the linters, which ./scripts/check installs."""
SEARCHED = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])


def _program(*names: str) -> Callable[[], str | None]:
    return lambda: next(filter(None, (shutil.which(name, path=SEARCHED) for name in names)), None)


def _postgres() -> str | None:
    """The folder of the oldest PostgreSQL from 15 on: the floor is what is worth a test."""
    folders = Path("/usr/lib/postgresql").glob("*/bin/postgres")
    majors = sorted(int(found.parts[-3]) for found in folders if found.parts[-3].isdigit())
    return next((f"/usr/lib/postgresql/{major}/bin" for major in majors if major >= 15), None)


@dataclass(frozen=True)
class Package:
    find: Callable[[], str | None]
    alternatives: tuple[str, ...]
    """Names for apt-get, the first that the system knows is taken."""


PACKAGES = {
    "chromium": Package(_program("chromium", "chromium-browser"), ("chromium",)),
    "nginx": Package(_program("nginx"), ("nginx",)),
    "openssl": Package(_program("openssl"), ("openssl",)),
    "pgbouncer": Package(_program("pgbouncer"), ("pgbouncer",)),
    "postgresql-15": Package(_postgres, ("postgresql-15", "postgresql")),
    "prometheus": Package(_program("prometheus"), ("prometheus",)),
    "prometheus-alertmanager": Package(
        _program("prometheus-alertmanager", "alertmanager"), ("prometheus-alertmanager",)
    ),
    "prometheus-blackbox-exporter": Package(
        _program("prometheus-blackbox-exporter", "blackbox_exporter"),
        ("prometheus-blackbox-exporter",),
    ),
    "prometheus-node-exporter": Package(
        _program("prometheus-node-exporter", "node_exporter"), ("prometheus-node-exporter",)
    ),
    "slowhttptest": Package(_program("slowhttptest"), ("slowhttptest",)),
}
_skipped: dict[str, list[str]] = defaultdict(list)


def require(name: str) -> Path:
    """The program (for postgresql-15 the folder of its programs); without it the test is skipped."""
    found = PACKAGES[name].find()
    if found is None:
        _skipped[name].append(_running())
        pytest.skip(f"needs the system package {name}")
    return Path(found)


def require_node_tools() -> Path:
    """The folder of their programs; without them the test is skipped."""
    if not _node_tools_are_fresh():
        _skipped[" ".join(NODE_TOOLS)].append(_running())
        pytest.skip(f"needs {' '.join(NODE_TOOLS)}")
    return TOOLS / "node_modules/.bin"


def _running() -> str:
    return os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _no_skip_in_ci(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _no_skip_in_ci(report)
    return report


def _no_skip_in_ci(report: pytest.TestReport | pytest.CollectReport) -> None:
    # An expected failure is reported as skipped too, and is none.
    if report.skipped and os.environ.get("CI") == "true" and not hasattr(report, "wasxfail"):
        reason = report.longrepr[-1] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"skipped, which CI=true does not allow: {reason}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for name, tests in _skipped.items():
        terminalreporter.section(f"not tested: {name} is not installed")
        terminalreporter.write_line("\n".join(tests))


def install() -> None:
    """Install what is missing; say in one line what cannot be."""
    _install_node_tools()
    missing = {name: package for name, package in PACKAGES.items() if package.find() is None}
    if not missing:
        return
    names = ", ".join(missing)
    if os.geteuid() or not shutil.which("apt-get"):
        print(f"Not installed, so their tests are skipped: {names}", file=sys.stderr)
        return
    print(f"Installing {names}", file=sys.stderr)
    if not _apt_get("install", missing):
        _apt_get("update", {})
        if not _apt_get("install", missing):
            print(f"apt-get could not install {names}: their tests are skipped", file=sys.stderr)


def _node_tools_are_fresh() -> bool:
    lock, installed = TOOLS / "package-lock.json", TOOLS / "node_modules/.installed"
    return installed.is_file() and installed.read_bytes() == lock.read_bytes()


def _install_node_tools() -> None:
    if _node_tools_are_fresh():
        return
    print("Installing the contract-test tools of npm", file=sys.stderr)
    path = os.pathsep.join([str(Path(sys.prefix) / "bin"), os.environ.get("PATH", "")])
    done = subprocess.run(
        [*NODE_TOOLS, "--prefer-offline"],
        cwd=ROOT,
        env={**os.environ, "PATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode:
        print("npm could not install them: their tests are skipped", file=sys.stderr)
        return
    shutil.copy(TOOLS / "package-lock.json", TOOLS / "node_modules/.installed")


def _apt_get(action: str, packages: dict[str, Package]) -> bool:
    names = [_known(package.alternatives) for package in packages.values()]
    command = ["apt-get", "-qq", action, "--yes", "--no-install-recommends", *names]
    # With RUNLEVEL=1 Debian's packages do not start their servers.
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    done = subprocess.run(
        command if names else command[:3],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return not done.returncode


def _known(names: tuple[str, ...]) -> str:
    for name in names:
        shown = subprocess.run(["apt-cache", "show", name], capture_output=True, check=False)
        if not shown.returncode:
            return name
    return names[0]


if __name__ == "__main__":
    install()
