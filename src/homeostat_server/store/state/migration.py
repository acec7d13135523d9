"""Bring the state's tables to this version at start. It knows the order of versions, not what is in them.

All missing versions run in one transaction under a lock, so two processes that start at once migrate once, and a
process killed in the middle leaves the old version. Alembic keeps its context in the module: one thread migrates.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from homeostat_server.exceptions import DataFolderUnusable, MigrationMismatch, StateUnavailable
from homeostat_server.store.state.database import StateDatabase, connect_state
from homeostat_server.store.state.dsn import parse_state_dsn

VERSION_TABLE: Final = "homeostat_state_version"
_FOLDER: Final = Path(__file__).parent / "migrations"
# Any number will do that no other program locks in the same database; these are the letters "homeosta".
_LOCK_NUMBER: Final = int.from_bytes(b"homeosta")


def open_state(dsn: str) -> StateDatabase:
    """Return the database a DSN names, with the tables of this version.

    Raises:
        SettingInvalid: the DSN names no database that can be used.
        DataFolderUnusable: the SQLite file cannot be made, read or written, or is no database.
        StateUnavailable: the PostgreSQL server cannot be reached now.
        MigrationMismatch: the database was written by a newer version.
    """
    url = parse_state_dsn(dsn)
    database = connect_state(url)
    try:
        migrate_state(database)
    except StateUnavailable as error:
        database.close()
        if url.get_backend_name() != "sqlite":
            raise
        hint = "Check that the file is a Homeostat state database and that this user may write it and its folder."
        raise DataFolderUnusable(
            "open the state database", value=f"{url.database}: {error.value}", hint=hint
        ) from error
    except MigrationMismatch:
        database.close()
        raise
    return database


def migrate_state(database: StateDatabase) -> None:
    """Run the missing versions; do nothing, and take no lock, when there are none."""
    configuration = Config(attributes={})
    configuration.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    configuration.set_main_option("path_separator", "os")
    scripts = ScriptDirectory.from_config(configuration)
    with database.read() as connection:
        if _is_current(connection, scripts):
            return
    with _exclusive(database) as connection:
        if not _is_current(connection, scripts):
            configuration.attributes["connection"] = connection
            command.upgrade(configuration, "head")


def _is_current(connection: Connection, scripts: ScriptDirectory) -> bool:
    known = {script.revision for script in scripts.walk_revisions()}
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    present = set(context.get_current_heads())
    if not present <= known:
        hint = "Start the newer version of Homeostat that wrote it, or restore a backup."
        raise MigrationMismatch("use a state database of an unknown version", value=sorted(present - known), hint=hint)
    return present == set(scripts.get_heads())


@contextmanager
def _exclusive(database: StateDatabase) -> Iterator[Connection]:
    """Open a write transaction that no other process is migrating in; on SQLite each write transaction is one."""
    with database.write() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _LOCK_NUMBER})
        yield connection
