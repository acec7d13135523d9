"""Bring the state's tables to this version at start. It knows the order of versions, not what is in them.

All missing versions run in one transaction under a lock, so two processes that start at once migrate once, and a
process killed in the middle leaves the old version. Alembic keeps its context in the module: one thread migrates.
"""

from sqlalchemy import inspect, text

from homeostat_server.exceptions import DataFolderUnusable, MigrationMismatch, StateUnavailable
from homeostat_server.store.state.database import StateDatabase, connect_state
from homeostat_server.store.state.dsn import parse_state_dsn
from homeostat_server.store.state.tables import NEWEST_VERSION, VERSION_TABLE


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
    """Run the missing versions; do nothing, and take no lock, when there are none.

    Raises:
        MigrationMismatch: the database was written by a newer version.
        StateUnavailable: the database cannot be reached or written now.
    """
    if _present_versions(database) == [NEWEST_VERSION]:
        return
    # Here, not at the top: see `upgrade`.
    from homeostat_server.store.state.upgrade import upgrade_state  # noqa: PLC0415

    upgrade_state(database)


def _present_versions(database: StateDatabase) -> list[str]:
    with database.read() as connection:
        if not inspect(connection).has_table(VERSION_TABLE):
            return []
        return list(connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalars())  # noqa: S608 - ours
