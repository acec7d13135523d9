from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from homeostat_server.api.health import Health
from homeostat_server.exceptions import StoreUnavailable
from homeostat_server.model.signal import Signal
from homeostat_server.runtime.lifecycle import Component, Lifecycle
from homeostat_server.runtime.testing import ManualClock
from homeostat_server.server.wiring import _build_health
from homeostat_server.store.state.database import StateDatabase
from homeostat_server.store.state.dsn import default_state_dsn
from homeostat_server.store.state.migration import open_state
from tests.in_process import ground_of, settings
from tests.otlp import NOW_NS
from tests.pipelines import SimulatedPipeline


@pytest.fixture
def database(tmp_path: Path) -> Iterator[StateDatabase]:
    """Return a state database."""
    opened = open_state(default_state_dsn(tmp_path))
    yield opened
    opened.close()


@pytest.fixture
def pipeline() -> SimulatedPipeline:
    """Return a pipeline that accepts."""
    return SimulatedPipeline(clock=ManualClock(now_ns=NOW_NS)).recover()


@pytest.fixture
async def health(tmp_path: Path, database: StateDatabase, pipeline: SimulatedPipeline) -> Health:
    """Return the health of a platform whose clock the test moves."""
    lifecycle = Lifecycle().add(Component(name="HTTP"))  # so far has a platform come that is started
    await lifecycle.start()
    ground = replace(ground_of(settings(tmp_path), lifecycle), clock=pipeline.clock, telemetry=pipeline.telemetry)
    return _build_health(
        ground,
        store=pipeline.store,
        database=database,
        pipeline=pipeline.pipeline,
        alarm=pipeline.alarm(alarm_s=30),
    )


async def verdicts(health: Health) -> dict[str, str]:
    """Return what is wrong with each dependency, nothing when it is well."""
    return {finding.name: finding.error for finding in await health.findings()}


async def test_health_knows_every_dependency(health: Health) -> None:
    """All are well, with facts worth showing, and requests can be served."""
    findings = {finding.name: finding for finding in await health.findings()}
    assert {name: finding.ok for name, finding in findings.items()} == {
        "telemetry store": True,
        "state": True,
        "spool": True,
        "ingest lag": True,
    }
    assert findings["telemetry store"].facts == {"memory_bytes": 0, "rows": 0}
    assert findings["spool"].facts == {"waiting_bytes": {"traces": 0, "logs": 0, "metrics": 0}}
    assert await health.is_ready()


async def test_late_rows_degrade_but_do_not_stop(health: Health, pipeline: SimulatedPipeline) -> None:
    """While rows are late the lag fails, yet requests are taken in: sending them elsewhere would mend nothing."""
    pipeline.acknowledge(Signal.LOGS, b"late")
    pipeline.clock.advance(31)
    assert "logs is 31 s behind" in (await verdicts(health))["ingest lag"]
    assert await health.is_ready()
    pipeline.store_all()
    pipeline.clock.advance(2)
    assert (await verdicts(health))["ingest lag"] == ""


@pytest.mark.parametrize("broken", ["telemetry store", "spool", "state"])
async def test_what_is_needed_stops_readiness(
    *, tmp_path: Path, health: Health, pipeline: SimulatedPipeline, database: StateDatabase, broken: str
) -> None:
    """A dependency without which nothing can be served is named, and no traffic is wanted."""
    if broken == "telemetry store":
        pipeline.store.fail_with = StoreUnavailable("answer")
    elif broken == "spool":
        pipeline.disk.read_only = True
    else:
        database.close()  # so that the next question opens the file again
        (tmp_path / "state.sqlite").write_text("not a database any more, and longer than a header of SQLite " * 20)
    assert [name for name, error in (await verdicts(health)).items() if error] == [broken]
    assert not await health.is_ready()
