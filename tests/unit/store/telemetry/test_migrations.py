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
    """An empty folder gets exactly the tables, columns, types, codecs, keys and indexes of the catalogue."""
    store = opening()
    rows = store._upkeep.rows(
        "SELECT table, name, type, compression_codec FROM system.columns"
        " WHERE database = 'telemetry' AND table != 'migrations' ORDER BY table, position",
        {},
    )
    made = {
        table.name: [(_text(r["name"]), _text(r["type"])) for r in rows if _text(r["table"]) == table.name]
        for table in CATALOGUE
    }
    assert made == {table.name: [(c.name, c.type) for c in table.columns] for table in CATALOGUE}
    assert {_text(row["table"]) for row in rows} == set(made)
    keys = store._upkeep.rows(
        "SELECT name, sorting_key FROM system.tables WHERE database = 'telemetry' AND name != 'migrations'", {}
    )
    assert {_text(k["name"]): f"({_text(k['sorting_key'])})" for k in keys} == {t.name: t.order_by for t in CATALOGUE}
    indexes = store._upkeep.rows(
        "SELECT table, name FROM system.data_skipping_indices WHERE database = 'telemetry' ORDER BY table, name", {}
    )
    assert [(_text(i["table"]), _text(i["name"])) for i in indexes] == sorted(
        (table.name, index.name) for table in CATALOGUE for index in table.indexes
    )


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
    assert noted == [{"version": version, "n": 1} for version in (1, 201, 202)]
    assert session.rows("SELECT count() AS n FROM telemetry.b202", {}) == [{"n": 0}]
