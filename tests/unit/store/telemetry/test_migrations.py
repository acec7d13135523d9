import re
from collections.abc import Mapping, Sequence

import pytest

from homeostat_server.exceptions import MigrationMismatch, StoreUnavailable
from homeostat_server.store.ports import Parameter, Row
from homeostat_server.store.telemetry.catalogue import CATALOGUE
from homeostat_server.store.telemetry.layouts import MIGRATIONS
from homeostat_server.store.telemetry.migrations import Migration, migrate
from homeostat_server.store.telemetry.session import Session
from tests.unit.store.telemetry.conftest import OpenStore


def test_all_migrations_lead_to_what_the_catalogue_says(opening: OpenStore) -> None:
    """An empty folder gets exactly the tables of the catalogue, to the last codec and setting."""
    store = opening()
    session = store._upkeep
    session.execute("CREATE DATABASE expected")
    for table in CATALOGUE:
        session.execute(table.create_statement().replace("telemetry.", "expected."))
    assert created(session, "telemetry") == created(session, "expected")


def created(session: Session, database: str) -> dict[str, str]:
    """Return what the engine would create each table with, by name; how long rows stay is a setting, not the layout."""
    rows = session.rows(
        f"SELECT name, create_table_query AS query FROM system.tables WHERE database = '{database}'"
        " AND name != 'migrations'",
        {},
    )
    lasting = {_text(row["name"]): re.sub(r" TTL .*?(?= SETTINGS)", "", _text(row["query"])) for row in rows}
    return {name: query.replace(f"{database}.", "") for name, query in lasting.items()}


def _text(value: object) -> str:
    assert isinstance(value, bytes)
    return value.decode()


def definitions(session: Session) -> list[Row]:
    """Return what the engine says of every table, and when its definition was written last."""
    sql = (
        "SELECT name, create_table_query, metadata_modification_time FROM system.tables"
        " WHERE database = 'telemetry' ORDER BY name"
    )
    return session.rows(sql, {})


def test_a_second_start_changes_nothing(opening: OpenStore) -> None:
    """No statement runs, no definition is written anew, no mutation exists."""
    first = opening()
    before = definitions(first._upkeep)
    first.close()
    second = opening()
    assert migrate(second._upkeep, MIGRATIONS) == ()
    assert definitions(second._upkeep) == before
    assert second._upkeep.rows("SELECT * FROM system.mutations", {}) == []
    assert second._upkeep.rows("SELECT version, name, checksum FROM telemetry.migrations", {}) == [
        {"version": m.version, "name": m.name.encode(), "checksum": m.checksum.encode()} for m in MIGRATIONS
    ]


def test_a_folder_of_a_newer_version_is_refused(opening: OpenStore) -> None:
    """It may hold what this program would destroy; the hint says what to do."""
    store = opening()
    store._upkeep.execute("INSERT INTO telemetry.migrations (version, name, checksum) VALUES (99, 'later', 'x')")
    store.close()
    with pytest.raises(MigrationMismatch, match="newer version"):
        opening()


def test_a_migration_with_another_text_is_refused(opening: OpenStore) -> None:
    """The folder was written by a program that is not an ancestor of this one; another folder opens after that."""
    store = opening()
    store._upkeep.execute("ALTER TABLE telemetry.migrations DELETE WHERE 1 SETTINGS mutations_sync = 1")
    store._upkeep.execute("INSERT INTO telemetry.migrations (version, name, checksum) VALUES (1, 'spine', 'x')")
    folder = store._folder
    store.close()
    with pytest.raises(MigrationMismatch, match="another text"):
        opening()
    opening(folder.with_name("another"))


STEPS = tuple(
    Migration(
        version=number,
        name=f"step_{number}",
        statements=(
            f"CREATE TABLE IF NOT EXISTS telemetry.a{number} (n UInt8) ENGINE = MergeTree ORDER BY n",
            f"CREATE TABLE IF NOT EXISTS telemetry.b{number} (n UInt8) ENGINE = MergeTree ORDER BY n",
        ),
    )
    for number in (201, 202)
)


class FailingEngine:
    """Pass statements on to an engine until one of them fails, as when the process is killed."""

    def __init__(self, session: Session, *, statements: int) -> None:
        """Let so many statements pass."""
        self._session = session
        self._left = statements

    def execute(self, sql: str) -> None:
        """Run a statement or fail."""
        if self._left == 0:
            raise StoreUnavailable("run a statement")
        self._left -= 1
        self._session.execute(sql)

    def rows(self, sql: str, parameters: Mapping[str, Parameter]) -> list[Row]:
        """Answer a question."""
        return self._session.rows(sql, parameters)


@pytest.mark.parametrize("statements", range(6))
def test_an_interrupted_migration_is_finished_by_the_next_start(opening: OpenStore, statements: int) -> None:
    """Wherever it broke off: what ran runs again and is noted once."""
    session = opening()._upkeep
    steps: Sequence[Migration] = (*MIGRATIONS, *STEPS)
    with pytest.raises(StoreUnavailable):
        migrate(FailingEngine(session, statements=statements), steps)
    finished = {201, 202} - ({201} if statements > 2 else set())
    assert set(migrate(session, steps)) == finished
    assert migrate(session, steps) == ()
    noted = session.rows("SELECT version, count() AS n FROM telemetry.migrations GROUP BY version ORDER BY version", {})
    assert noted == [{"version": version, "n": 1} for version in (*(m.version for m in MIGRATIONS), 201, 202)]
    assert session.rows("SELECT count() AS n FROM telemetry.b202", {}) == [{"n": 0}]
