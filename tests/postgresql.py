"""A real PostgreSQL on a free port, its data in a temporary folder; a test is skipped where none is installed."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

_PROGRAMS = Path("/usr/lib/postgresql")  # where Debian and Ubuntu put each version
_UNPRIVILEGED = ("postgres", "nobody")  # PostgreSQL refuses to run as root
_START_S = 60


@dataclass(frozen=True, slots=True)
class PostgresqlServer:
    """Hold a running server and make databases on it."""

    port: int
    psql: Callable[[str], None]

    def make_database(self, name: str) -> str:
        """Make an empty database and return its DSN."""
        self.psql(f"CREATE DATABASE {name}")
        return f"postgresql://homeostat@127.0.0.1:{self.port}/{name}"


def _postgresql_programs() -> Path | None:
    versions = sorted(_PROGRAMS.glob("*/bin/initdb"), key=lambda program: int(program.parts[-3]))
    on_path = shutil.which("initdb")
    if versions:
        return versions[-1].parent
    return Path(on_path).resolve().parent if on_path else None


def _account() -> str | None:
    """Return the account to run as: None for our own."""
    if os.geteuid() != 0:
        return None
    present = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in _UNPRIVILEGED if name in present)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert isinstance(port, int)
    return port


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresqlServer]:
    """Start a real PostgreSQL in a folder of its own; skip where none is installed."""
    programs = _postgresql_programs()
    if programs is None:
        pytest.skip("no PostgreSQL is installed (Debian: apt-get install postgresql)")
    account = _account()
    with tempfile.TemporaryDirectory(prefix="homeostat-postgresql-") as folder:
        if account is not None:
            shutil.chown(folder, user=account)

        def run(program: str, *arguments: str) -> None:
            command = [str(programs / program), *arguments]
            # Not captured: the server inherits the pipes and would hold them open.
            subprocess.run(
                command, check=True, user=account, cwd=folder, stdout=subprocess.DEVNULL, timeout=_START_S, env={}
            )

        data, port = f"{folder}/data", _free_port()
        run("initdb", "-D", data, "-U", "homeostat", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
        options = f"-h 127.0.0.1 -p {port} -k {folder} -F"
        run("pg_ctl", "start", "-w", "-s", "-D", data, "-l", f"{folder}/log", "-o", options)
        address = ("-h", "127.0.0.1", "-p", str(port), "-U", "homeostat", "-d", "postgres")
        try:
            yield PostgresqlServer(port, lambda statement: run("psql", "-q", *address, "-c", statement))
        finally:
            run("pg_ctl", "stop", "-s", "-m", "immediate", "-D", data)
