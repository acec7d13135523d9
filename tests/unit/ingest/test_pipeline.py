from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from homeostat_server.exceptions import DataFolderUnusable, InvalidRequest, SpoolUnavailable, StoreUnavailable
from homeostat_server.ingest.disk import SystemDisk
from homeostat_server.ingest.pipeline import GATHER_S_MAX, GATHER_S_MIN, Pipeline
from homeostat_server.model.segment import SealedSegment
from homeostat_server.model.signal import Signal
from homeostat_server.model.tenant import DEFAULT_TENANT
from homeostat_server.runtime.clock import SystemClock
from homeostat_server.runtime.knobs import Knobs
from homeostat_server.runtime.telemetry import Telemetry
from homeostat_server.runtime.testing import ManualClock
from homeostat_server.store.testing import MemoryStore
from tests.pipelines import BOUNDS, SimulatedPipeline
from tests.waiting import until


@contextmanager
def started(root: Path, store: MemoryStore) -> Iterator[Pipeline]:
    """Give a pipeline on real files whose threads run; stop it when a test has not."""
    pipeline = Pipeline(root, sink=store, bounds=BOUNDS, disk=SystemDisk(), clock=SystemClock(), telemetry=Telemetry())
    pipeline.start()
    try:
        yield pipeline
    finally:
        pipeline.stop(budget_s=0)


def test_what_is_acknowledged_becomes_stored(tmp_path: Path) -> None:
    """Each signal has a spool and a committer of its own; a stop says that nothing is left."""
    store = MemoryStore()
    with started(tmp_path, store) as pipeline:
        for signal in Signal:
            pipeline.spools[signal].append(DEFAULT_TENANT, signal.value.encode()).result(timeout=10)
        until(lambda: len(store.segments) == len(Signal))
        assert pipeline.stop(budget_s=10)
    assert {segment.signal for segment in store.segments.values()} == set(Signal)
    assert list(tmp_path.glob("*/*.segment")) == []


def test_numbers_are_unique_across_signals(tmp_path: Path) -> None:
    """Segments of three signals that are begun at the same moment have numbers of their own."""
    store = MemoryStore()
    with started(tmp_path, store) as pipeline:
        futures = [pipeline.spools[signal].append(DEFAULT_TENANT, b"x") for signal in Signal]
        numbers = {future.result(timeout=10).segment for future in futures}
    assert len(numbers) == len(Signal)


def test_what_cannot_be_stored_waits_for_the_next_start(tmp_path: Path) -> None:
    """A stop with the store away gives up after its budget and says so; the next run stores it as a replay."""
    away, store = MemoryStore(), MemoryStore()
    away.fail_with = StoreUnavailable("store")
    with started(tmp_path, away) as pipeline:
        pipeline.spools[Signal.LOGS].append(DEFAULT_TENANT, b"kept").result(timeout=10)
        assert not pipeline.stop(budget_s=0)
    with started(tmp_path, store):
        until(lambda: store.segments)
    [segment] = store.segments.values()
    assert (segment.signal, segment.replay, segment.records) == (Signal.LOGS, True, 1)


class SlowStore(MemoryStore):
    """Take ten seconds for each segment."""

    def __init__(self, clock: ManualClock) -> None:
        """Let time pass on this clock."""
        super().__init__()
        self._clock = clock

    def insert_segment(self, segment: SealedSegment) -> None:
        """Store it, late."""
        self._clock.advance(10)
        super().insert_segment(segment)


def test_the_signals_share_the_time_to_stop() -> None:
    """Three slow signals take no longer than one budget and the insert that is under way at its end."""
    clock = ManualClock()
    run = SimulatedPipeline(clock=clock, store=SlowStore(clock)).recover()
    for signal in Signal:
        run.acknowledge(signal, b"x")
    began_s = clock.monotonic_s()
    assert not run.pipeline.stop(budget_s=15)
    assert clock.monotonic_s() - began_s == pytest.approx(20)
    assert len(run.store.segments) == 2


def test_a_stopped_pipeline_accepts_nothing() -> None:
    """Requests that come during the stop are told to come back."""
    run = SimulatedPipeline().recover()
    assert run.pipeline.stop(budget_s=1)
    for spool in run.pipeline.spools.values():
        with pytest.raises(SpoolUnavailable):
            spool.append(DEFAULT_TENANT, b"late")


def test_no_spool_accepts_before_all_have_recovered(tmp_path: Path) -> None:
    """When one folder cannot be read the start fails, and no signal was open meanwhile."""
    (tmp_path / Signal.METRICS).write_text("not a folder")
    store = MemoryStore()
    with pytest.raises(DataFolderUnusable), started(tmp_path, store):
        pass
    assert store.segments == {}


def test_a_probe_asks_every_spool() -> None:
    """All well passes; one that cannot be written fails, with its cause."""
    run = SimulatedPipeline().recover()
    run.pipeline.probe()
    run.disk.read_only = True
    with pytest.raises(SpoolUnavailable, match="Read-only"):
        run.pipeline.probe()


def test_what_waits_is_measured() -> None:
    """Segments, bytes and age of each signal are read at every scrape, and are zero again when stored."""
    run = SimulatedPipeline().recover()
    run.acknowledge(Signal.TRACES, b"x" * 100)
    run.clock.advance(3)

    def waiting(name: str, signal: str = "traces") -> float:
        return run.telemetry.value(f"homeostat_spool_{name}", signal=signal)

    assert (waiting("waiting_segments"), waiting("waiting_segments", "logs")) == (1, 0)
    assert waiting("waiting_bytes") > 100
    assert waiting("oldest_age_seconds") == pytest.approx(3, abs=0.1)
    run.store_all()
    assert [waiting(name) for name in ("waiting_segments", "waiting_bytes", "oldest_age_seconds")] == [0, 0, 0]


def test_the_knob_turns_all_spools() -> None:
    """It shows what holds now, and turning it changes what every signal's spool does."""
    run, knobs = SimulatedPipeline().recover(), Knobs()
    run.pipeline.declare_knobs(knobs)
    knob = knobs.find("spool_gather")
    assert (knob.read(), knob.unit) == (0.02, "s")
    knob.turn(1.5)
    assert knob.read() == 1.5
    assert {spool.gather_s for spool in run.pipeline.spools.values()} == {1.5}


@pytest.mark.parametrize("value", [GATHER_S_MIN / 2, GATHER_S_MAX * 2, float("nan")])
def test_the_knob_stays_inside_its_bounds(value: float) -> None:
    """A value outside is refused, and no spool has changed."""
    run, knobs = SimulatedPipeline().recover(), Knobs()
    run.pipeline.declare_knobs(knobs)
    with pytest.raises(InvalidRequest):
        knobs.find("spool_gather").turn(value)
    assert {spool.gather_s for spool in run.pipeline.spools.values()} == {0.02}


@pytest.mark.parametrize("value", [GATHER_S_MIN, GATHER_S_MAX])
def test_the_bounds_belong_to_the_knob(value: float) -> None:
    """Both ends can be chosen."""
    run, knobs = SimulatedPipeline().recover(), Knobs()
    run.pipeline.declare_knobs(knobs)
    knobs.find("spool_gather").turn(value)
    assert run.pipeline.spools[Signal.METRICS].gather_s == value
