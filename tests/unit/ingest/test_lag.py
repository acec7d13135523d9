import logging

import pytest

from homeostat_server.exceptions import StoreUnavailable
from homeostat_server.ingest.lag import LagAlarm
from homeostat_server.model.signal import Signal
from tests.pipelines import SimulatedPipeline

ALARM_S = 30.0


@pytest.fixture
def run() -> SimulatedPipeline:
    """Return a pipeline that accepts."""
    return SimulatedPipeline().recover()


@pytest.fixture
def alarm(run: SimulatedPipeline) -> LagAlarm:
    """Return the alarm under test."""
    return run.alarm(alarm_s=ALARM_S)


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what the alarm has said, and forget it."""
    said = [record.getMessage() for record in caplog.records if record.name.endswith("ingest.lag")]
    caplog.clear()
    return said


def is_loud(run: SimulatedPipeline, signal: str) -> float:
    """Return the metric of the alarm."""
    return run.telemetry.value("homeostat_ingest_lag_alarm", signal=signal)


def test_an_idle_platform_is_not_late(
    run: SimulatedPipeline, alarm: LagAlarm, caplog: pytest.LogCaptureFixture
) -> None:
    """Without requests there is nothing to be behind of, also after a quiet night."""
    run.clock.advance(86_400)
    alarm.look()
    assert alarm.check() == {"traces": 0, "logs": 0, "metrics": 0}
    assert lines(caplog) == []


def test_it_is_raised_and_taken_back(run: SimulatedPipeline, alarm: LagAlarm, caplog: pytest.LogCaptureFixture) -> None:
    """While the store is away: one line when late, none again, the metric 1; one line and 0 when caught up."""
    run.store.fail_with = StoreUnavailable("store", value="disk full")
    run.acknowledge(Signal.LOGS, b"late")
    run.store_all()
    run.clock.advance(ALARM_S - 1)
    alarm.look()
    assert (is_loud(run, "logs"), lines(caplog)) == (0, [])
    run.clock.advance(2)
    for _ in range(3):
        alarm.look()
    assert (is_loud(run, "logs"), is_loud(run, "traces")) == (1, 0)
    assert lines(caplog) == ["rows of logs are 31 s behind what was acknowledged"]
    run.store.fail_with = None
    run.store_all()
    alarm.look()
    assert (is_loud(run, "logs"), lines(caplog)) == (0, ["rows of logs have caught up"])


def test_it_can_be_raised_again(run: SimulatedPipeline, alarm: LagAlarm, caplog: pytest.LogCaptureFixture) -> None:
    """A second time is told like the first."""
    caplog.set_level(logging.WARNING)
    for body in (b"first", b"second"):
        run.acknowledge(Signal.TRACES, body)
        run.clock.advance(ALARM_S + 1)
        alarm.look()
        run.store_all()
        alarm.look()
    assert [line.split()[2] for line in lines(caplog)] == ["traces"] * 4


def test_the_lag_is_a_metric(run: SimulatedPipeline, alarm: LagAlarm) -> None:
    """It is the age of the oldest request that is not stored, for each signal apart."""
    run.acknowledge(Signal.METRICS, b"a")
    run.clock.advance(5)
    run.acknowledge(Signal.METRICS, b"b")
    assert alarm.behind_s(Signal.METRICS) == pytest.approx(5, abs=0.1)
    assert run.telemetry.value("homeostat_ingest_lag_seconds", signal="metrics") == pytest.approx(5, abs=0.1)
    assert run.telemetry.value("homeostat_ingest_lag_seconds", signal="logs") == 0


def test_a_check_fails_while_a_signal_is_late(run: SimulatedPipeline, alarm: LagAlarm) -> None:
    """What health shows names the late signals with their seconds and nobody else."""
    run.acknowledge(Signal.TRACES, b"a")
    run.clock.advance(100)
    run.acknowledge(Signal.LOGS, b"b")
    with pytest.raises(StoreUnavailable, match="traces is 100 s behind") as caught:
        alarm.check()
    assert "logs" not in str(caught.value)
    run.store_all()
    assert alarm.check()["traces"] == 0
