import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from homeostat.export.outcomes import Outcome, Verdict
from homeostat.export.testing import SimulatedBackend, SimulatedClock
from tests.unit.sdk.export.benches import Bench, numbered

REFUSED = Outcome(verdict=Verdict.REFUSED, reason="http_400")
NOT_NOW = Outcome(verdict=Verdict.NOT_NOW, reason="http_503", retry_after_s=2)


class Histories(RuleBasedStateMachine):
    """Backends come and go, and so do processes: order is kept, and every span is accounted for."""

    def __init__(self) -> None:
        """Begin with one process and a backend that is well."""
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.clock = SimulatedClock()
        self.backend = SimulatedBackend(self.clock)
        self.refused = self.ended = 0
        self.bench = self.born()

    def born(self) -> Bench:
        """Return the next process."""
        durability = ("spool", "write-ahead")[self.ended % 2]
        made = Bench(
            Path(self._folder.name),
            clock=self.clock,
            backend=self.backend,
            batch_spans=5,
            queue_spans=100,
            durability=durability,
        )
        made.ended = self.ended
        return made

    @rule(count=st.integers(1, 12))
    def end_spans(self, count: int) -> None:
        """Record something; never more than the queue holds."""
        if len(self.bench.exporting.pipeline.queue) + count > 100:
            self.bench.exporting.gather()
        self.bench.end_spans(count)
        self.ended += count

    @rule()
    def gather(self) -> None:
        """Do a round of the one thread."""
        self.bench.exporting.gather()

    @rule()
    def send(self) -> None:
        """Do a round of the other."""
        self.bench.exporting.send()

    @rule(seconds=st.floats(0.1, 40))
    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.sleep(seconds)

    @rule()
    def go_or_come(self) -> None:
        """End an outage or begin one."""
        self.backend.is_up = not self.backend.is_up

    @rule()
    @precondition(lambda self: not self.backend.answers)
    def be_busy(self) -> None:
        """Ask for patience once."""
        self.backend.answers.append(NOT_NOW)

    @rule()
    @precondition(lambda self: not self.backend.answers)
    def refuse(self) -> None:
        """Refuse the next request for good."""
        self.backend.answers.append(REFUSED)

    @rule(count=st.integers(1, 30))
    def be_slow(self, count: int) -> None:
        """Let spans be recorded and gathered while one request is on its way."""

        def meanwhile(_: object) -> None:
            self.backend.during = None
            self.end_spans(count)
            self.bench.exporting.gather()

        self.backend.during = meanwhile

    @rule(timeout_s=st.sampled_from([0.0, 0.5, 5.0]))
    def restart(self, timeout_s: float) -> None:
        """End the process and begin another."""
        self.bench.exporting.shutdown(timeout_s)
        self.count_refusals()
        self.bench = self.born()

    def count_refusals(self) -> None:
        """Add up what the process that ends has lost; it can only be what was refused."""
        statistics = self.bench.exporting.statistics()
        assert set(statistics.dropped) <= {"http_400"}
        self.refused += statistics.dropped.get("http_400", 0)

    def teardown(self) -> None:
        """Let everything arrive."""
        self.backend.is_up, self.backend.during = True, None
        self.backend.answers.clear()
        self.bench.live(80)
        assert self.bench.exporting.statistics().backlog_bytes == 0
        self.count_refusals()
        names = self.bench.names
        places = {name: place for place, name in enumerate(numbered(self.ended))}
        assert [places[name] for name in names] == sorted({places[name] for name in names})
        assert len(names) + self.refused == self.ended
        self._folder.cleanup()


Histories.TestCase.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
TestHistories = Histories.TestCase
