from pathlib import Path
from threading import Thread

import pytest

from homeostat_server.exceptions import QueryCancelled, StoreUnavailable
from homeostat_server.model.segment import SealedSegment
from homeostat_server.model.signal import Signal
from homeostat_server.model.tenant import DEFAULT_TENANT
from homeostat_server.store.ports import TelemetryStore, WatchedReader
from homeostat_server.store.testing import MemoryStore, Question
from homeostat_server.store.watched import QueryWatch

SEGMENT = SealedSegment(signal=Signal.LOGS, number=7, path=Path("7.segment"), records=1, size_bytes=10)


def test_it_is_a_telemetry_store_that_remembers() -> None:
    """Segments are kept by number, questions in order, and answers are what the test has set."""
    memory = MemoryStore()
    memory.rows, memory.expired_partitions = [{"one": 1}], 3
    store: TelemetryStore = memory
    store.insert_segment(SEGMENT)
    store.insert_segment(SEGMENT)
    assert store.read(DEFAULT_TENANT, "SELECT 1", {"id": "ab"}) == [{"one": 1}]
    assert (store.drop_expired(5), store.drop_expired(6)) == (3, 0)
    store.close()
    assert memory.segments == {7: SEGMENT}
    assert memory.questions == [Question(DEFAULT_TENANT, "SELECT 1", {"id": "ab"})]
    assert (memory.retention_times_s, memory.is_closed) == ([5, 6], True)


def test_it_fails_as_it_is_told() -> None:
    """Every call raises the error of the test, and none is remembered."""
    memory = MemoryStore()
    memory.fail_with = StoreUnavailable("answer")
    for call in (
        lambda: memory.insert_segment(SEGMENT),
        lambda: memory.read(DEFAULT_TENANT, "SELECT 1", {}),
        memory.statistics,
        lambda: memory.drop_expired(1),
    ):
        with pytest.raises(StoreUnavailable):
            call()
    assert not memory.segments
    assert not memory.questions


def test_it_holds_a_watched_question_until_it_is_cancelled() -> None:
    """As a question that lasts; one without a watch is answered all the same, by columns too."""
    memory = MemoryStore()
    memory.rows, memory.hold = [{"one": 1}], True
    watch = QueryWatch()
    reader: WatchedReader = memory.watched(watch)

    def cancel() -> None:
        memory.is_held.wait()
        watch.cancel()

    cancelling = Thread(target=cancel)
    cancelling.start()
    with pytest.raises(QueryCancelled):
        reader.read(DEFAULT_TENANT, "SELECT 1", {})
    cancelling.join()
    assert memory.read_table(DEFAULT_TENANT, "SELECT 1", {}).to_pylist() == [{"one": 1}]
    assert len(memory.questions) == 1
