"""What is particular to the state in SQLite: its files, its modes, its failures."""

import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, event, text

from homeostat_server.exceptions import DataFolderUnusable, MigrationMismatch, StateUnavailable
from homeostat_server.store.state.database import StateDatabase, connect_state
from homeostat_server.store.state.dsn import default_state_dsn, parse_state_dsn
from homeostat_server.store.state.migration import migrate_state, open_state
from homeostat_server.store.state.tables import VERSION_TABLE


@pytest.fixture
def database(tmp_path: Path) -> Iterator[StateDatabase]:
    """Return a state database in a folder that does not exist yet."""
    opened = open_state(default_state_dsn(tmp_path / "new" / "data"))
    yield opened
    opened.close()


def _pragma(database: StateDatabase, name: str) -> object:
    with database.read() as connection:
        return connection.execute(text(f"PRAGMA {name}")).scalar_one()


@pytest.mark.parametrize(
    ("pragma", "value"), [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("busy_timeout", 5000)]
)
def test_how_sqlite_is_set_up(database: StateDatabase, pragma: str, value: object) -> None:
    """Reads go beside writes, a commit is on disk, references are checked, a lock is waited for."""
    assert _pragma(database, pragma) == value


def test_only_the_owner_can_read_the_files(database: StateDatabase, tmp_path: Path) -> None:
    """The database and the journals beside it are closed to other users."""
    files = list((tmp_path / "new" / "data").iterdir())
    assert {file.name for file in files} >= {"state.sqlite", "state.sqlite-wal"}
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_a_second_writer_is_told_to_come_back(tmp_path: Path) -> None:
    """A write that cannot have the lock in time fails as something to try again, with the address in the hint."""
    url = parse_state_dsn(default_state_dsn(tmp_path))
    open_state(default_state_dsn(tmp_path)).close()
    with sqlite3.connect(tmp_path / "state.sqlite", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        impatient = connect_state(url, wait_s=0)
        with pytest.raises(StateUnavailable, match=r"locked.*state\.sqlite") as caught, impatient.write():
            pass
        impatient.close()
    other.close()
    assert caught.value.retryable


def test_a_file_that_is_locked_for_all_is_used_without_the_log(tmp_path: Path) -> None:
    """Who cannot switch the journal now goes on without; the file's next connection switches it."""
    file = tmp_path / "state.sqlite"
    with sqlite3.connect(file, isolation_level=None) as other:
        other.execute("CREATE TABLE one (a)")
        other.execute("BEGIN IMMEDIATE")
        database = connect_state(parse_state_dsn(default_state_dsn(tmp_path)), wait_s=0)
        assert _pragma(database, "journal_mode") == "delete"
    other.close()
    database.close()
    assert _pragma(database, "journal_mode") == "wal"
    database.close()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    """A file of something else is named, with what is wrong, and left alone."""
    file = tmp_path / "state.sqlite"
    file.write_bytes(b"something else entirely " * 100)
    with pytest.raises(DataFolderUnusable, match=r"state\.sqlite: file is not a database"):
        open_state(default_state_dsn(tmp_path))
    assert file.read_bytes().startswith(b"something else")


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    """A data folder below a file cannot be; the error says so before anything is opened."""
    (tmp_path / "file").touch()
    with pytest.raises(DataFolderUnusable, match=r"file/data/state\.sqlite: Not a directory"):
        open_state(default_state_dsn(tmp_path / "file" / "data"))


def test_an_unknown_version_is_refused_and_closed(database: StateDatabase, tmp_path: Path) -> None:
    """The database of a newer release is not touched."""
    with database.write() as connection:
        connection.execute(text(f"INSERT INTO {VERSION_TABLE} VALUES ('9999')"))
    with pytest.raises(MigrationMismatch, match="9999"):
        open_state(default_state_dsn(tmp_path / "new" / "data"))


def test_a_postgresql_that_is_away_is_something_to_try_again() -> None:
    """A server that does not answer is no mistake of the settings, and the password is not shown."""
    with pytest.raises(StateUnavailable, match=r"ada:\*\*\*@127\.0\.0\.1:1/state") as caught:
        open_state("postgresql://ada:hunter2@127.0.0.1:1/state")
    assert "hunter2" not in str(caught.value)


def test_who_was_overtaken_finds_the_work_done(tmp_path: Path) -> None:
    """A process that waited for the migration lock looks again and migrates nothing."""
    dsn = default_state_dsn(tmp_path)
    overtaken = connect_state(parse_state_dsn(dsn))
    overtakers = iter([open_state])

    def overtake(_: Connection) -> None:
        for migrate in overtakers:
            migrate(dsn).close()

    event.listen(overtaken._engine, "commit", overtake)
    migrate_state(overtaken)
    overtaken.close()
    assert next(overtakers, None) is None
