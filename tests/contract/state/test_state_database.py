"""What every state database has to do, whichever it is."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import insert, select, text

from homeostat_server.exceptions import Conflict, MigrationMismatch
from homeostat_server.store.state import upgrade
from homeostat_server.store.state.database import StateDatabase
from homeostat_server.store.state.migration import migrate_state, open_state
from homeostat_server.store.state.tables import NEWEST_VERSION, VERSION_TABLE, api_keys, metadata

_OPEN = "import sys; from homeostat_server.store.state.migration import open_state; open_state(sys.argv[1]).close()"


def _row(key_id: str) -> dict[str, object]:
    return {
        "id": key_id,
        "secret_sha256": "0" * 64,
        "tenant": "t",
        "scopes": "read",
        "comment": "",
        "created_at_ns": 2**62,
    }


def _ids(database: StateDatabase) -> list[str]:
    with database.read() as connection:
        return sorted(connection.scalars(select(api_keys.c.id)))


def test_migrations_make_what_the_tables_say(database: StateDatabase) -> None:
    """The migrations and the declared tables describe the same columns, types and indexes."""
    with database.read() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": VERSION_TABLE, "compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, metadata) == []


def test_migrating_twice_changes_nothing(database: StateDatabase) -> None:
    """A second start finds the tables, and the rows in them, as they were."""
    with database.write() as connection:
        connection.execute(insert(api_keys).values(_row("a")))
    migrate_state(database)
    assert _ids(database) == ["a"]


def test_processes_that_start_at_once_migrate_once(state_dsn: str) -> None:
    """Several processes may open a new database at the same moment."""
    starting = [subprocess.Popen([sys.executable, "-c", _OPEN, state_dsn]) for _ in range(4)]
    assert [process.wait(timeout=60) for process in starting] == [0, 0, 0, 0]
    database = open_state(state_dsn)
    assert _ids(database) == []
    database.close()


def test_a_newer_database_is_refused(database: StateDatabase, state_dsn: str) -> None:
    """A version this program does not know is an error that names it, and the database stays as it is."""
    with database.write() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(MigrationMismatch, match="9999"):
        open_state(state_dsn)


def test_a_block_that_raises_leaves_nothing(database: StateDatabase) -> None:
    """A write transaction is whole or not at all."""

    class Stop(Exception):
        pass

    def stop_half_way() -> None:
        with database.write() as connection:
            connection.execute(insert(api_keys).values(_row("a")))
            raise Stop

    with pytest.raises(Stop):
        stop_half_way()
    assert _ids(database) == []


def test_a_row_that_is_there_is_a_conflict(database: StateDatabase) -> None:
    """The database's own refusal comes as the error of the tree."""
    with database.write() as connection:
        connection.execute(insert(api_keys).values(_row("a")))
    with pytest.raises(Conflict), database.write() as connection:
        connection.execute(insert(api_keys).values(_row("a")))


def test_a_read_does_not_wait_for_a_write(database: StateDatabase) -> None:
    """While one transaction writes, another reads what was there before."""
    with database.write() as connection:
        connection.execute(insert(api_keys).values(_row("a")))
        with ThreadPoolExecutor(1) as other:
            assert other.submit(_ids, database).result(timeout=2) == []
    assert _ids(database) == ["a"]


def test_writers_queue(database: StateDatabase) -> None:
    """Concurrent read-then-write transactions all succeed: none fails because another was first."""
    together = threading.Barrier(4)

    def add(number: int) -> None:
        together.wait()
        with database.write() as connection:
            connection.execute(select(api_keys.c.id)).all()
            connection.execute(insert(api_keys).values(_row(f"k{number}")))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add, range(4)))
    assert _ids(database) == ["k0", "k1", "k2", "k3"]


def test_ping_answers(database: StateDatabase) -> None:
    """A database that is there answers the readiness check."""
    database.ping()


def test_the_newest_version_is_that_of_the_newest_migration() -> None:
    """A migration that is added without its number in `tables` would be taken for one of a newer program."""
    folder = Path(upgrade.__file__).parent / "migrations"
    assert ScriptDirectory(str(folder)).get_heads() == [NEWEST_VERSION]
