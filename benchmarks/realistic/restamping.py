"""Restamping: endless fresh bodies for load generators, out of a few templates built beforehand.

Invariant: no id ever repeats within a seed and lane; times end at the moment asked for.
"""

from dataclasses import dataclass
from typing import Final, Literal, Protocol

from benchmarks.realistic import landscape
from benchmarks.realistic.bodies import Batch, Body, Style
from benchmarks.realistic.exports import INTERVAL_S, MetricExport
from benchmarks.realistic.readings import Moment
from benchmarks.realistic.records import LogRound
from benchmarks.realistic.slots import Table
from benchmarks.realistic.spans import Forest, SpanRound

SignalName = Literal["traces", "logs", "metrics"]
LANES_MAX: Final = 4096
"""Processes that may restamp with one seed; a lane has 2^28 rounds."""
_ROUNDS_PER_LANE: Final = 2**28
_NS: Final = 10**9
_FOREST_SPANS: Final = 20_000


class LaneError(ValueError):
    """Report a lane that is not one of the lanes there are."""


class _Source(Protocol):
    """Describe what gives templates and fresh values for a round."""

    batch: Batch

    def fresh(self, round_number: int, now_ns: int) -> Table:
        """Return the values of a round that happens up to now."""


class Restamper:
    """Stamp bodies of one signal again and again with fresh ids, times and values.

    Traces and logs of equal seed, lane and number of bodies name the same spans. Not thread-safe: give each thread a
    lane of its own.
    """

    def __init__(
        self,
        signal: SignalName,
        *,
        bodies: int = 64,
        items_per_body: int = 512,
        seed: int = 1,
        lane: int = 0,
        style: Style = "collector",
        window_s: float = 1.0,
    ) -> None:
        """Build about `bodies` templates; traces of a round start within `window_s` before now.

        The lane tells concurrent restampers of a seed apart; lane 0 shares its ids with `traces()` of that seed.
        Exemplars of metrics look like ids of spans but name none. Raises `LaneError` when there is no such lane.
        """
        if not 0 <= lane < LANES_MAX:
            raise LaneError(f"lane {lane} is not between 0 and {LANES_MAX - 1}")
        plan = _Plan(bodies * items_per_body, items_per_body, seed, style, int(window_s * _NS))
        self._source = _metric_source(plan) if signal == "metrics" else _correlated_source(signal, plan)
        self._scratch = self._source.batch.scratch()
        self._round = lane * _ROUNDS_PER_LANE
        self._position = 0
        self._table: Table | None = None

    @property
    def bodies(self) -> int:
        """Return how many templates there are."""
        return len(self._source.batch.templates)

    def next(self, now_ns: int) -> Body:
        """Return the next body; all bodies of a round share the `now_ns` of its first."""
        if self._table is None or self._position == self.bodies:
            self._table = self._source.fresh(self._round, now_ns)
            self._round += 1
            self._position = 0
        template = self._source.batch.templates[self._position]
        self._position += 1
        return Body(template.stamp(self._table, self._scratch), template.items)


@dataclass(frozen=True)
class _Plan:
    """Hold what a restamper was asked for."""

    items: int
    items_per_body: int
    seed: int
    style: Style
    window_ns: int


class _CorrelatedSource:
    """Give fresh rounds of traces or logs."""

    def __init__(self, made: SpanRound | LogRound, *, seed: int, window_ns: int) -> None:
        self._made = made
        self._seed = seed
        self._window_ns = window_ns
        self.batch = made.batch

    def fresh(self, round_number: int, now_ns: int) -> Table:
        return self._made.table(
            seed=self._seed, round_number=round_number, start_ns=now_ns - self._window_ns, window_ns=self._window_ns
        )


class _MetricSource:
    """Give fresh exports of a fleet."""

    def __init__(self, made: MetricExport) -> None:
        self._made = made
        self._started = False
        self.batch = made.batch

    def fresh(self, round_number: int, now_ns: int) -> Table:
        # Instances export up to an interval after a moment; none may do so after now.
        begin_ns = now_ns - INTERVAL_S * _NS
        if not self._started:
            self._made.postpone(begin_ns)
            self._started = True
        moment = Moment(round_number, begin_ns, INTERVAL_S * _NS)
        return self._made.advance(moment, round_number=round_number, place=0.5)


def _metric_source(plan: _Plan) -> _Source:
    company = landscape.build()
    forest = Forest.grown(company, seed=plan.seed, spans=_FOREST_SPANS)
    made = MetricExport(
        company,
        forest,
        series=plan.items,
        start_ns=0,
        items_per_body=plan.items_per_body,
        style=plan.style,
    )
    return _MetricSource(made)


def _correlated_source(signal: SignalName, plan: _Plan) -> _Source:
    forest = Forest.grown(landscape.build(), seed=plan.seed, spans=plan.items)
    make = SpanRound if signal == "traces" else LogRound
    made = make(forest, items_per_body=plan.items_per_body, style=plan.style)
    return _CorrelatedSource(made, seed=plan.seed, window_ns=plan.window_ns)
