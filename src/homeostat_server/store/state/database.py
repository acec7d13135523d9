"""One SQL database for the small state: opened, bounded, its failures translated. It knows no table.

Reads and writes are separate on purpose: a write takes the write lock when it begins (`BEGIN IMMEDIATE` on SQLite), so
that two processes queue instead of failing half way, and a read never waits for it. Both are one transaction.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from homeostat_server.exceptions import Conflict, DataFolderUnusable, StateUnavailable

WAIT_S: Final = 5
"""How long a connection, a lock or a pooled connection is waited for before the caller is told to come back."""

STATEMENT_S: Final = 10
"""Small state means small statements: one that runs longer is stuck."""

CONNECTIONS_MAX: Final = 8
"""Key refresh, readiness check and a few requests at once; SQLite has one writer anyway."""

_WRITES: Final = "homeostat_writes"

_PINGS: Final = {"sqlite": "SELECT count(*) FROM sqlite_master"}
"""What makes a database look at its file; SQLite answers `SELECT 1` without."""


class StateDatabase:
    """Give out transactions on the state database; safe to share between threads."""

    def __init__(self, engine: Engine) -> None:
        """Keep an engine that `connect_state` has made."""
        self._engine = engine

    @property
    def shown_dsn(self) -> str:
        """Return the address without its password."""
        return self._engine.url.render_as_string(hide_password=True)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a transaction that only reads.

        Raises:
            StateUnavailable: the database cannot answer now.
        """
        with self._translated("read the state"), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a transaction that writes; it is durable when the block has ended, and gone when the block raised.

        Raises:
            Conflict: a row contradicts one that is there.
            StateUnavailable: the database cannot take it now, or waited `WAIT_S` for another writer.
        """
        with self._translated("write the state"), self._engine.connect() as plain:
            connection = plain.execution_options(**{_WRITES: True})
            with connection.begin():
                yield connection

    def ping(self) -> None:
        """Raise StateUnavailable when the database cannot answer now."""
        with self.read() as connection:
            connection.execute(text(_PINGS.get(connection.dialect.name, "SELECT 1")))

    def close(self) -> None:
        """Close all connections; the object can be used again and would connect anew."""
        self._engine.dispose()

    @contextmanager
    def _translated(self, attempted: str) -> Iterator[None]:
        try:
            yield
        except IntegrityError as error:
            raise Conflict(attempted, value=_cause(error)) from error
        except SQLAlchemyError as error:
            hint = f"Check that {self.shown_dsn} can be reached and written."
            raise StateUnavailable(attempted, value=_cause(error), hint=hint) from error


def connect_state(url: URL, *, wait_s: int = WAIT_S) -> StateDatabase:
    """Return the database at an address that `parse_state_dsn` has checked; connects when it is first used.

    Args:
        url: the address.
        wait_s: whole seconds to wait for a connection or a lock.

    Raises:
        DataFolderUnusable: the folder or the file of an SQLite database cannot be made.
    """
    if url.get_backend_name() == "sqlite":
        return StateDatabase(_sqlite_engine(url, wait_s=wait_s))
    return StateDatabase(_postgresql_engine(url, wait_s=wait_s))


def _cause(error: SQLAlchemyError) -> str:
    """Return the driver's own words: SQLAlchemy's would repeat the statement with its parameters."""
    return " ".join(str(getattr(error, "orig", None) or error).split())


def _pool(wait_s: int) -> dict[str, Any]:
    return {"pool_size": CONNECTIONS_MAX, "max_overflow": 0, "pool_timeout": wait_s, "hide_parameters": True}


def _sqlite_engine(url: URL, *, wait_s: int) -> Engine:
    _make_private_file(Path(url.database or ""))
    engine = create_engine(url, connect_args={"timeout": wait_s}, **_pool(wait_s))
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _make_private_file(path: Path) -> None:
    """Make the file first, for its owner only: SQLite gives the journals beside it the same permissions."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDONLY, 0o600))
    except OSError as error:
        hint = "Choose a folder that this user may write."
        raise DataFolderUnusable("make the state database", value=f"{path}: {error.strerror}", hint=hint) from error


def _set_up_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    # The driver must not begin transactions by itself: it does so too late and never for reads (see _begin_sqlite).
    connection.isolation_level = None
    # FULL: a commit has reached the disk when it returns; the default of WAL would lose the last ones at a power cut.
    for pragma in ("foreign_keys = ON", "synchronous = FULL"):
        connection.execute(f"PRAGMA {pragma}")
    _use_write_ahead_log(connection)


def _use_write_ahead_log(connection: sqlite3.Connection) -> None:
    """Let reads go on during a write. The file remembers it, so that only its first connection has anything to do."""
    if connection.execute("PRAGMA journal_mode").fetchone() == ("wal",):
        return
    try:
        connection.execute("PRAGMA journal_mode = WAL")
    except sqlite3.OperationalError:
        # Another process is at it right now, or the folder is read-only. Nothing is wrong without it, only slower, the
        # next connection tries again, and what is really broken fails at the first statement.
        return


def _begin_sqlite(connection: Connection) -> None:
    """Take the write lock at once when the transaction will write: SQLite cannot turn an old read into a write."""
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _postgresql_engine(url: URL, *, wait_s: int) -> Engine:
    arguments = {"connect_timeout": wait_s, "options": f"-c statement_timeout={STATEMENT_S}s"}
    # A server that restarted leaves dead connections in the pool: ask each before it is used.
    return create_engine(url, connect_args=arguments, pool_pre_ping=True, **_pool(wait_s))
