"""Child processes that end with their parent, whatever ends the parent."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

PR_SET_PDEATHSIG = 1
_prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None


def spawn(
    command: list[str | Path],
    *,
    last_signal: signal.Signals,
    output: IO[bytes] | None = None,
    account: Mapping[str, Any] | None = None,
    **options: Any,
) -> subprocess.Popen[bytes]:
    """Start a child in a process group of its own: Ctrl-C reaches the supervisor alone.

    On Linux the child gets ``last_signal`` when the calling thread ends, so call from the main one.
    """
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        process_group=0,
        # Safe in spite of threads: it calls the kernel only, through a function found beforehand.
        preexec_fn=_die_with(os.getpid(), last_signal),  # noqa: PLW1509
        **(account or {}),
        **options,
    )


def _die_with(parent: int, last_signal: signal.Signals) -> Callable[[], None] | None:
    if _prctl is None:
        return None

    def ask() -> None:
        # Python changes the user before it calls this; a later change of user would undo it.
        _prctl(PR_SET_PDEATHSIG, last_signal)
        if os.getppid() != parent:
            os._exit(1)

    return ask


def stop(process: subprocess.Popen[bytes], how: signal.Signals, patience: float) -> None:
    """End a child and its group: politely, then for certain after ``patience`` seconds."""
    if process.poll() is None:
        # A stopped process would not see anything else.
        _signal_group(process.pid, signal.SIGCONT)
        process.send_signal(how)
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    # What a killed one left; after an orderly end there is nothing.
    _signal_group(process.pid, signal.SIGKILL)


def _signal_group(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, number)


def stop_leftover(pid_file: Path, argument: Path, how: signal.Signals) -> None:
    """End the server that an earlier supervisor left, if the pid is still that server's.

    ``argument`` stands on the server's command line and on no other's: pids are used again.
    """
    try:
        pid = int(pid_file.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return
    for number in (how, signal.SIGKILL):
        if str(argument) not in _command_line(pid):
            break
        os.kill(pid, number)
        wait_for(lambda: str(argument) not in _command_line(pid), 10)
    pid_file.unlink(missing_ok=True)


def _command_line(pid: int) -> str:
    if Path("/proc/self/cmdline").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
        except OSError:
            return ""
    command = ["ps", "-o", "command=", "-p", str(pid)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def wait_for(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether the condition came true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
