"""A backend and a clock that a test holds in its hands; they implement the ports of the export."""

from collections.abc import Callable
from dataclasses import dataclass, field

from homeostat.buffer import Record
from homeostat.export.outcomes import Outcome, Verdict


@dataclass
class SimulatedClock:
    """Hold a time that only a test moves."""

    time_s: float = 1000.0
    slept_s: list[float] = field(default_factory=list)

    def now_s(self) -> float:
        """Return the time."""
        return self.time_s

    def sleep(self, seconds: float) -> None:
        """Let so much time pass at once, and remember it."""
        self.slept_s.append(seconds)
        self.time_s += seconds


@dataclass
class SimulatedBackend:
    """Take requests, refuse them, or be away; implements `Transport`."""

    clock: SimulatedClock = field(default_factory=SimulatedClock)
    is_up: bool = True
    answers: list[Outcome] = field(default_factory=list)
    """What is answered next, before what `is_up` says."""
    answer_s: float = 0.0
    """How long an answer takes; one that takes longer than the time-out is none."""
    taken: list[Record] = field(default_factory=list)
    tries: int = 0
    events: list[str] = field(default_factory=list)
    during: Callable[[Record], None] | None = None
    """What happens while a request is on its way."""

    @property
    def bodies(self) -> list[bytes]:
        """Return the requests that were taken, in their order."""
        return [record.body for record in self.taken]

    @property
    def items(self) -> int:
        """Return how many items were taken."""
        return sum(record.items for record in self.taken)

    def send(self, record: Record, *, timeout_s: float) -> Outcome:
        """Answer as the test said."""
        self.tries += 1
        self.clock.time_s += min(self.answer_s, timeout_s)
        if self.during is not None:
            self.during(record)
        if self.answer_s > timeout_s:
            return Outcome(verdict=Verdict.NOT_NOW, reason="timeout")
        if self.answers:
            outcome = self.answers.pop(0)
        else:
            verdict = Verdict.TAKEN if self.is_up else Verdict.NOT_NOW
            outcome = Outcome(verdict=verdict, reason="" if self.is_up else "unreachable")
        if outcome.verdict is Verdict.TAKEN:
            self.taken.append(record)
        return outcome

    def close(self) -> None:
        """Note it."""
        self.events.append("close")

    def before_fork(self) -> None:
        """Note it."""
        self.events.append("before_fork")

    def abandon(self) -> None:
        """Note it."""
        self.events.append("abandon")
