"""Run the missing versions of the state's tables with Alembic. It knows the order of versions, not what is in them.

Loaded only when something is missing: Alembic and what it brings take 25 MB that a running server has no use for.
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

from homeostat_server.exceptions import MigrationMismatch
from homeostat_server.store.state.database import StateDatabase
from homeostat_server.store.state.tables import VERSION_TABLE

_FOLDER: Final = Path(__file__).parent / "migrations"
# Any number will do that no other program locks in the same database; these are the letters "homeosta".
_LOCK_NUMBER: Final = int.from_bytes(b"homeosta")


def upgrade_state(database: StateDatabase) -> None:
    """Run the missing versions under a lock; do nothing, and take no lock, when there are none."""
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
