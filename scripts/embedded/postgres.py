"""A PostgreSQL server out of a package (or of the system), for one folder."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psycopg2
from psycopg2 import sql

from scripts.embedded.place import account, own, postgres_programs
from scripts.home import Refused, secret, write_private
from scripts.process import free_port, spawn, stop, stop_leftover, wait_for

DATABASE = "madang"
OWNER = "madang"
SUPERUSER = "postgres"
LOCALE = "C.UTF-8" if sys.platform == "linux" else "en_US.UTF-8"
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_MESSAGES": "C", "TZ": "UTC"}
FAST = {"fsync": "off", "full_page_writes": "off"}
"""For servers that are thrown away: a crash of the machine may lose what they hold, a killed server not."""
STILL_ENDING = b"pre-existing shared memory block"
"""What a new server says while the children of a killed one have not all gone yet."""


class Postgres:
    """One server with one empty database, owned by a role that is no superuser."""

    def __init__(self, home: Path, *, fast: bool = False) -> None:
        self.home = home
        self.fast = fast
        self.port = free_port()
        self.data = home / "postgres"
        self.log = home / "postgres.log"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return self._url(OWNER, DATABASE)

    @property
    def superuser_url(self) -> str:
        return self._url(SUPERUSER, DATABASE)

    def start(self) -> None:
        """Start and wait until it answers; also after a SIGKILL. Raises ``Refused``."""
        programs = postgres_programs()
        self.stop_leftover()
        if not self.data.exists():
            self._initialize(programs)
        if not wait_for(lambda: self._launch(programs), 20):
            raise Refused(f"PostgreSQL did not start: {self._last_words()}")
        self._make_database()

    def stop_leftover(self) -> None:
        stop_leftover(self.data / "postmaster.pid", self.data, signal.SIGINT)

    def stop(self) -> None:
        # SIGINT is the fast shutdown: it ends open connections, and writes everything out.
        if self.process is not None:
            stop(self.process, signal.SIGINT, patience=20)

    def _url(self, role: str, database: str) -> str:
        password = secret(self.home, "database_password")
        return f"postgresql://{role}:{password}@127.0.0.1:{self.port}/{database}"

    def _initialize(self, programs: Path) -> None:
        """Make the data folder under another name: an interrupted ``initdb`` must not look complete."""
        new, password = self.home / "postgres.new", self.home / "password.new"
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        write_private(password, secret(self.home, "database_password"))
        own(new)
        own(password)
        command: list[str | Path] = [
            programs / "initdb",
            "-D",
            new,
            "-U",
            SUPERUSER,
            f"--pwfile={password}",
            f"--locale={LOCALE}",
        ]
        options = ["-E", "UTF8", "-A", "scram-sha-256", *(["--no-sync"] if self.fast else [])]
        with open(self.log, "wb") as log:
            done = subprocess.run(
                [*command, *options],
                **account(),
                cwd="/",
                env=ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                check=False,
            )
        password.unlink()
        if done.returncode:
            raise Refused(f"initdb failed: {self._last_words()}")
        new.rename(self.data)

    def _launch(self, programs: Path) -> bool:
        """Whether the server answers now; false when it is worth another try."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
        }
        settings |= FAST if self.fast else {}
        arguments = [f"--{name}={value}" for name, value in settings.items()]
        with open(self.log, "wb") as log:
            self.process = process = spawn(
                [programs / "postgres", "-D", self.data, *arguments],
                last_signal=signal.SIGINT,
                output=log,
                account=account(),
                cwd="/",
                env=ENVIRONMENT,
            )
        wait_for(lambda: process.poll() is not None or self._answers(), 60)
        if process.poll() is None:
            return True
        if STILL_ENDING not in self.log.read_bytes():
            raise Refused(f"PostgreSQL did not start: {self._last_words()}")
        return False

    def _answers(self) -> bool:
        try:
            psycopg2.connect(self._url(SUPERUSER, "postgres"), connect_timeout=5).close()
        except psycopg2.OperationalError as error:
            if "password authentication failed" in str(error):
                raise Refused(
                    "The database password is not that of the data: --fresh begins anew"
                ) from None
            return False
        return True

    def _make_database(self) -> None:
        connection = psycopg2.connect(self._url(SUPERUSER, "postgres"))
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (OWNER,))
            if not cursor.fetchone():
                role = sql.SQL("CREATE ROLE {} LOGIN CREATEDB PASSWORD %s").format(
                    sql.Identifier(OWNER)
                )
                cursor.execute(role, (secret(self.home, "database_password"),))
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,))
            if not cursor.fetchone():
                names = (sql.Identifier(DATABASE), sql.Identifier(OWNER))
                cursor.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(*names))
        connection.close()

    def _last_words(self) -> str:
        lines = [line for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        fatal = [line for line in lines if "FATAL" in line or "error:" in line]
        return f"{(fatal or lines or ['no output'])[-1].strip()} (all of it: {self.log})"
