from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from google.protobuf.message import Message

from homeostat_server.exceptions import StoreUnavailable
from homeostat_server.model.segment import SealedSegment
from homeostat_server.model.signal import Signal
from homeostat_server.store.ports import Parameter, Row
from homeostat_server.store.telemetry.catalogue import CATALOGUE
from homeostat_server.store.telemetry.embedded import EmbeddedStore
from homeostat_server.store.telemetry.inserts import DERIVED, ROWS, TABLES
from homeostat_server.store.telemetry.session import Session
from tests import otlp
from tests.otlp import NOW_NS
from tests.segment_files import number_at, segment_numbers, write_segment
from tests.unit.store.telemetry.conftest import OpenStore

DAY_NS = 86_400 * 10**9
REQUESTS: dict[Signal, list[Message]] = {
    Signal.TRACES: [otlp.traces(*[otlp.span(trace_id=bytes([n]) * 16, name=str(n)) for n in range(1, 5)])],
    Signal.LOGS: [otlp.logs(otlp.record(), otlp.record(severity_number=13)), otlp.logs(otlp.record())],
    Signal.METRICS: [
        otlp.metrics(
            otlp.metric(otlp.number(exemplars=[otlp.exemplar()]), otlp.number(as_int=1), name="gauge"),
            otlp.sum_metric(otlp.number(), name="sum"),
            otlp.metric(otlp.histogram(exemplars=[otlp.exemplar()]), name="histogram"),
            otlp.metric(otlp.exponential(), name="exponential"),
            otlp.metric(otlp.summary(), name="summary"),
        )
    ],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder for segments."""
    return tmp_path_factory.mktemp("segments")


def content(store: EmbeddedStore, tenant: str) -> dict[str, list[str]]:
    """Return all rows of a tenant in all tables, but for who it is and which segment they came with."""
    rows: dict[str, list[str]] = {}
    for table in CATALOGUE:
        final = " FINAL" if table.derived else ""
        columns = {column.name for column in table.columns} & {"tenant", "segment", "received"}
        found = store._upkeep.rows(
            f"SELECT * EXCEPT ({', '.join(sorted(columns))}) FROM telemetry.{table.name}{final}"
            " WHERE tenant = {tenant:String}",
            {"tenant": tenant},
        )
        rows[table.name] = sorted(map(repr, found))
    return rows


INSERTS = {signal: (*DERIVED[signal], *ROWS[signal]) for signal in Signal}


def segment_of(folder: Path, tenant: str, signal: Signal, *, number: int) -> SealedSegment:
    """Write the signal's requests for a tenant."""
    return write_segment(folder, [(tenant, request) for request in REQUESTS[signal]], number=number)


@pytest.mark.parametrize("signal", Signal)
def test_a_replay_after_any_statement_is_exact(opening: OpenStore, folder: Path, signal: Signal) -> None:
    """A process that dies after some statements leaves rows; with the replay they are there once, derived ones too."""
    store = opening()
    numbers = segment_numbers(NOW_NS + 5 * 10**9)
    store.insert_segment(segment_of(folder, "control", signal, number=next(numbers)))
    expected = content(store, "control")
    for step in range(len(INSERTS[signal]) + 1):
        tenant = f"interrupted-{step}"
        segment = segment_of(folder, tenant, signal, number=next(numbers))
        for statement in INSERTS[signal][:step]:
            store._writers[signal][0].execute(statement(segment.number, segment.path))
        store.insert_segment(replace(segment, replay=True))
        assert content(store, tenant) == expected, f"after {step} statements"


class Failing:
    """Pass statements on to a session until all that may pass have."""

    def __init__(self, session: Session, *, passes: list[None]) -> None:
        """Let as many statements pass as there are passes; several sessions may share them."""
        self._session = session
        self._passes = passes

    def execute(self, sql: str) -> None:
        """Run a statement or fail."""
        try:
            self._passes.pop()
        except IndexError:
            raise StoreUnavailable("run a statement") from None
        self._session.execute(sql)

    def rows(self, sql: str, parameters: Mapping[str, Parameter]) -> list[Row]:
        """Answer a question."""
        return self._session.rows(sql, parameters)

    def close(self) -> None:
        """Close the session."""
        self._session.close()


@pytest.mark.parametrize("signal", Signal)
def test_a_retry_after_any_failure_is_exact(opening: OpenStore, folder: Path, signal: Signal) -> None:
    """An insert that failed in the same process is taken back by the next attempt, whoever makes it."""
    store = opening()
    numbers = segment_numbers(NOW_NS + 9 * 10**9)
    store.insert_segment(segment_of(folder, "control", signal, number=next(numbers)))
    expected = content(store, "control")
    writers = store._writers[signal]
    for step in range(len(INSERTS[signal])):
        tenant = f"failed-{step}"
        segment = segment_of(folder, tenant, signal, number=next(numbers))
        passes = [None] * step
        store._writers[signal] = tuple(cast("Session", Failing(writer, passes=passes)) for writer in writers)
        with pytest.raises(StoreUnavailable):
            store.insert_segment(segment)
        store._writers[signal] = writers
        store.insert_segment(segment)
        assert content(store, tenant) == expected, f"after {step} statements"
    assert store._interrupted == set()


def test_taking_back_finds_rows_in_every_partition(opening: OpenStore, folder: Path) -> None:
    """The number is enough: rows are found on whichever day they were received and however they are merged."""
    store = opening()
    tenant = "tenant"
    numbers = [number_at(NOW_NS + day * DAY_NS) for day in range(3)]
    segments = [segment_of(folder, tenant, Signal.LOGS, number=number) for number in numbers]
    for segment in segments:
        store.insert_segment(segment)
    store._upkeep.execute("OPTIMIZE TABLE telemetry.logs FINAL")
    for segment in segments:
        store.insert_segment(replace(segment, replay=True))
    rows = store._upkeep.rows("SELECT segment, count() AS n FROM telemetry.logs GROUP BY segment ORDER BY segment", {})
    assert rows == [{"segment": number, "n": 3} for number in numbers]


def test_nothing_is_deleted_where_nothing_is(opening: OpenStore, folder: Path) -> None:
    """A replay of what never came starts no mutation: at a start after a crash there may be thousands of them."""
    store = opening()
    for signal in Signal:
        segment = segment_of(folder, "tenant", signal, number=number_at(NOW_NS) + list(Signal).index(signal))
        store.insert_segment(replace(segment, replay=True))
    assert store._upkeep.rows("SELECT table FROM system.mutations", {}) == []


def test_every_numbered_table_is_taken_back() -> None:
    """What a signal's statements write and is not derived is in the list."""
    numbered = {table.name for table in CATALOGUE if not table.derived}
    assert {name for names in TABLES.values() for name in names} == numbered
