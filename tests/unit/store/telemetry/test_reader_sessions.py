"""The engine's own fences, without the examiner of questions before them: row filter, role, readonly."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from homeostat_server.exceptions import HomeostatError, InvalidRequest
from homeostat_server.model.signal import Signal
from homeostat_server.store.telemetry.embedded import EmbeddedStore
from homeostat_server.store.telemetry.engine_config import INSERT_NICENESS, MERGE_NICENESS, READ_NICENESS
from homeostat_server.store.telemetry.session import Session
from tests import otlp
from tests.segment_files import segment_numbers, write_segment
from tests.store_attacks import ATTACKER, OWN_ROWS, REFUSED, SECRET, VICTIM
from tests.unit.store.telemetry.conftest import open_store

STATEMENTS = [sql for group in REFUSED.values() for sql in group if "sleep" not in sql]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the module's store."""
    return tmp_path_factory.mktemp("attacked")


@pytest.fixture(scope="module")
def store(folder: Path) -> Iterator[EmbeddedStore]:
    """Return a store with a row of the attacker and rows of the victim in each part."""
    opened = open_store(folder / "telemetry")
    numbers = segment_numbers()
    spans = [(ATTACKER, otlp.traces(otlp.span())), *[(VICTIM, otlp.traces(otlp.span(name=SECRET)))] * 3]
    records = [(ATTACKER, otlp.logs(otlp.record())), (VICTIM, otlp.logs(otlp.record(event_name=SECRET)))]
    points = [
        (ATTACKER, otlp.metrics(otlp.metric(otlp.number()))),
        (VICTIM, otlp.metrics(otlp.metric(otlp.number(), name=SECRET))),
    ]
    for sent in (spans, records, points):
        opened.insert_segment(write_segment(folder, sent, number=next(numbers)))
    yield opened
    opened.close()


@pytest.fixture
def reader(store: EmbeddedStore) -> Iterator[Session]:
    """Return a reading session of the attacker."""
    session = store._open_reader(ATTACKER)
    yield session
    session.close()


@pytest.mark.parametrize("sql", STATEMENTS)
def test_no_statement_shows_the_rows_of_another(reader: Session, store: EmbeddedStore, folder: Path, sql: str) -> None:
    """What the engine lets through gives away counts and files of the host, but no row, and changes none."""
    statement = sql.replace("{folder}", str(folder))
    parameters = {"table": "system.parts", "column": "name"}
    try:
        answer = reader._query(statement, "TabSeparated", parameters).bytes()
    except RuntimeError:
        answer = b""
    assert SECRET.encode() not in answer
    assert store.read(VICTIM, "SELECT count() AS n FROM telemetry.spans", {}) == [{"n": 3}]


@pytest.mark.parametrize(("sql", "expected"), OWN_ROWS)
def test_the_row_filter_alone_keeps_rows_apart(reader: Session, sql: str, expected: int) -> None:
    """Counts of what is allowed are the attacker's own without any examination of the question."""
    assert reader.rows(sql, {}) == [{"n": expected}]


@pytest.mark.parametrize(
    "sql",
    [
        "SET log_comment = 'victim'",
        "SET log_comment = '/engine'",
        "SET readonly = 0",
        "SELECT 1 SETTINGS readonly = 0",
        "INSERT INTO telemetry.spans (tenant) VALUES ('victim')",
        "CREATE TABLE telemetry.copy (a Int8) ENGINE = Memory",
        "SELECT * FROM telemetry.migrations",
        "SELECT * FROM file('/etc/passwd', 'LineAsString')",
        "SELECT * FROM mergeTreeIndex('telemetry', 'spans')",
    ],
)
def test_the_engine_refuses_by_itself(reader: Session, sql: str) -> None:
    """The heaviest attempts do not depend on the examiner."""
    with pytest.raises(InvalidRequest):
        reader.rows(sql, {})


def test_a_role_can_be_changed_back(reader: Session) -> None:
    """The role alone is no fence: `SET ROLE` passes `readonly`, and only the examiner refuses it.

    When a release refuses it, docs/adr/0004-tenant-isolation.md wants a new page.
    """
    with pytest.raises(InvalidRequest):
        reader.rows("SELECT * FROM telemetry.migrations", {})
    session = reader
    session._query("SET ROLE ALL")
    assert session.rows("SELECT version FROM telemetry.migrations", {})
    assert session.rows("SELECT count() AS n FROM telemetry.spans", {}) == [{"n": 1}]


def test_the_engine_reads_any_file_for_a_reader(reader: Session, tmp_path: Path) -> None:
    """The scalar function `file` knows no fence in the embedded engine; only the examiner refuses it.

    When a release has one, docs/adr/0004-tenant-isolation.md wants a new page.
    """
    (tmp_path / "file").write_text("content", encoding="utf-8")
    assert reader.rows(f"SELECT file('{tmp_path}/file') AS content", {}) == [{"content": b"content"}]


def test_no_filter_no_rows(store: EmbeddedStore) -> None:
    """A session that says nobody's name sees nothing."""
    session = store._open_reader(VICTIM)
    session._opening = [statement for statement in session._opening if "log_comment" not in statement]
    with pytest.raises(HomeostatError):
        session.rows("SELECT broken", {})
    assert session.rows("SELECT count() AS n FROM telemetry.spans", {}) == [{"n": 0}]
    session.close()


def test_who_reads_goes_before_who_inserts_and_merges(reader: Session, store: EmbeddedStore) -> None:
    """On a busy machine a question is not the one that waits; where the system allows it, threads have these ranks."""
    asked = "SELECT toInt64(getSetting('os_threads_nice_value_query')) AS niceness"
    merging = (
        "SELECT toInt64(value) AS niceness FROM system.server_settings"
        " WHERE name = 'os_threads_nice_value_merge_mutate'"
    )
    (reading,) = reader.rows(asked, {})
    (inserting,) = store._writers[Signal.TRACES][0].rows(asked, {})
    assert reading == {"niceness": READ_NICENESS}
    assert inserting == {"niceness": INSERT_NICENESS}
    assert store._upkeep.rows(merging, {}) == [{"niceness": MERGE_NICENESS}]
    assert READ_NICENESS < INSERT_NICENESS <= MERGE_NICENESS
