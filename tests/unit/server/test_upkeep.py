import asyncio
import logging
from dataclasses import replace

import pytest

from homeostat_server.exceptions import StoreUnavailable
from homeostat_server.model.signal import Signal
from homeostat_server.runtime.pages import LibraryPages
from homeostat_server.server.upkeep import RETENTION_EVERY, Upkeep
from homeostat_server.store.ports import KeptSpans, StoreStatistics, TableSize
from tests.pipelines import SimulatedPipeline
from tests.waiting import until

STATISTICS = StoreStatistics(
    memory_bytes=5_000,
    tables=[
        TableSize(table="spans", rows=10, parts=2, size_bytes=400),
        TableSize(table="logs", rows=3, parts=1, size_bytes=90),
    ],
)


@pytest.fixture
def run() -> SimulatedPipeline:
    """Return a pipeline that accepts, with a store that has figures."""
    made = SimulatedPipeline().recover()
    made.store.statistics_now = STATISTICS
    return made


@pytest.fixture
def upkeep(run: SimulatedPipeline) -> Upkeep:
    """Return the upkeep under test; its rounds follow each other without a pause."""
    return Upkeep(
        run.store,
        alarm=run.alarm(alarm_s=30),
        clock=run.clock,
        telemetry=run.telemetry,
        pages=LibraryPages(),
        every_s=0,
    )


def dropped(run: SimulatedPipeline) -> float:
    """Return how many partitions were counted as dropped."""
    return run.telemetry.value("homeostat_store_partitions_dropped_total")


async def test_a_round_drops_what_is_over_its_time(run: SimulatedPipeline, upkeep: Upkeep) -> None:
    """The store is asked with the wall clock's time in seconds, and what it dropped is counted."""
    run.store.expired_partitions = 4
    await upkeep.round()
    assert run.store.retention_times_s == [run.clock.now_ns() // 10**9]
    assert dropped(run) == 4


async def test_what_was_kept_is_counted(run: SimulatedPipeline, upkeep: Upkeep) -> None:
    """The store tells sums since its start; what is new in each round is counted."""
    for kept in (KeptSpans(spans=10, kept=4), KeptSpans(spans=10, kept=4), KeptSpans(spans=15, kept=5, days_lost=1)):
        run.store.statistics_now = replace(STATISTICS, kept=kept)
        await upkeep.round()
    counted = {
        outcome: run.telemetry.value("homeostat_retention_spans_total", outcome=outcome)
        for outcome in ("kept", "dropped")
    }
    assert counted == {"kept": 5, "dropped": 10}
    assert run.telemetry.value("homeostat_retention_days_lost_total") == 1


async def test_retention_is_due_once_an_hour(run: SimulatedPipeline, upkeep: Upkeep) -> None:
    """The rounds between do the rest only."""
    for _ in range(RETENTION_EVERY):
        await upkeep.round()
    assert len(run.store.retention_times_s) == 1
    await upkeep.round()
    assert len(run.store.retention_times_s) == 2


async def test_a_round_reads_the_figures(run: SimulatedPipeline, upkeep: Upkeep) -> None:
    """What the engine says of itself is a metric for each table; before the first round there is none."""
    assert run.telemetry.value("homeostat_store_rows", table="spans") == 0
    await upkeep.round()
    for table in STATISTICS.tables:
        assert run.telemetry.value("homeostat_store_rows", table=table.table) == table.rows
        assert run.telemetry.value("homeostat_store_parts", table=table.table) == table.parts
        assert run.telemetry.value("homeostat_store_disk_bytes", table=table.table) == table.size_bytes
    assert run.telemetry.value("homeostat_store_memory_bytes") == 5_000
    assert run.telemetry.value("homeostat_process_resident_memory_bytes") > 1 << 20


@pytest.mark.parametrize("error", [StoreUnavailable("read", value="disk full"), RuntimeError("unforeseen")])
async def test_a_failing_store_does_not_end_the_rounds(
    run: SimulatedPipeline, upkeep: Upkeep, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    """It is told, the last figures stay, and the retention that failed is due in the next round."""
    run.store.fail_with = error
    await upkeep.round()
    assert [record.levelno >= logging.WARNING for record in caplog.records] == [True]
    assert "upkeep failed and is tried again" in caplog.text
    run.store.fail_with, run.store.expired_partitions = None, 1
    await upkeep.round()
    assert (dropped(run), run.telemetry.value("homeostat_store_rows", table="logs")) == (1, 3)


async def test_a_round_looks_for_late_rows(
    run: SimulatedPipeline, upkeep: Upkeep, caplog: pytest.LogCaptureFixture
) -> None:
    """The alarm speaks also while the store does not."""
    run.store.fail_with = StoreUnavailable("store")
    run.acknowledge(Signal.LOGS, b"late")
    run.clock.advance(31)
    await upkeep.round()
    assert "rows of logs are 31 s behind" in caplog.text


async def test_rounds_go_on_until_the_stop(run: SimulatedPipeline, upkeep: Upkeep) -> None:
    """They begin at once, and after the stop there is no further one."""
    await upkeep.start()
    await asyncio.to_thread(until, lambda: len(run.store.retention_times_s) > 1)
    await upkeep.stop()
    done = len(run.store.retention_times_s)
    await asyncio.sleep(0)
    assert len(run.store.retention_times_s) == done


async def test_upkeep_that_never_began_can_be_stopped(upkeep: Upkeep) -> None:
    """A start that fails below it stops it all the same."""
    await upkeep.stop()
