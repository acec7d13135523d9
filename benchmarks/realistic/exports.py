"""Exports: all metric series of a fleet, their bodies and their next values in one place.

Invariant: one export is one point of every series; exemplars name spans of the same seed's traces near in time.
"""

from typing import Final

import numpy as np

from benchmarks.realistic import points
from benchmarks.realistic.bodies import Batch, Style
from benchmarks.realistic.clocks import Longs
from benchmarks.realistic.landscape import Kind, Landscape
from benchmarks.realistic.readings import Exemplars, Moment, Readings
from benchmarks.realistic.series import Family, Series, fleet_of, of_fleet
from benchmarks.realistic.slots import Sections, Table
from benchmarks.realistic.spans import Forest

INTERVAL_S: Final = 15
"""How often an instance exports; the default of Prometheus scrapes, a quarter of the SDKs' default."""

_ENTRIES: Final = frozenset({Kind.HTTP_SERVER, Kind.RPC_SERVER, Kind.CONSUMER})


class MetricExport:
    """Be the metric bodies of one export, and what every next export says."""

    def __init__(
        self, landscape: Landscape, forest: Forest, *, series: int, start_ns: int, items_per_body: int, style: Style
    ) -> None:
        """Write and compile the bodies of a fleet with at least `series` series."""
        self._style: Style = style
        self._items_per_body = items_per_body
        self._instances = fleet_of(landscape, series)
        self._series = of_fleet(landscape, self._instances)
        shares = {
            family: np.array([one.share for one in self._series if one.instrument.family is family])
            for family in Family
        }
        self._readings = Readings(
            shares, instances=len(self._instances), forest=forest, seed=forest.seed, start_ns=start_ns
        )
        self._sections = Sections.of(self._readings.sizes())
        self._entries = self._entry_spans(forest)
        self.batch: Batch = self._batch(self._series)

    @property
    def items(self) -> int:
        """Return the points of one export."""
        return len(self._series)

    def first(self, count: int) -> Batch:
        """Return bodies of the first `count` series only."""
        return self._batch(self._series[:count])

    def postpone(self, delay_ns: int) -> None:
        """Let all processes have started later."""
        self._readings.postpone(delay_ns)

    def advance(self, moment: Moment, *, round_number: int, place: float) -> Table:
        """Return the values of the next export; exemplars name spans at `place` (0 to 1) of a round of traces."""
        spans = [entries[int(place * len(entries)) % len(entries)] for entries in self._entries]
        exemplars = Exemplars(np.array(spans, np.int64), round_number)
        return Table(self._readings.advance(moment, exemplars), np.zeros(0, np.uint16))

    def _batch(self, series: list[Series]) -> Batch:
        return points.batch_of(
            series, self._instances, self._sections, items_per_body=self._items_per_body, style=self._style
        )

    def _entry_spans(self, forest: Forest) -> list[Longs]:
        """Return, for each exemplar, the spans it may name: those that enter its service, else any."""
        by_service: dict[str, list[int]] = {}
        for number, node in enumerate(forest.nodes):
            if node.operation.kind in _ENTRIES:
                by_service.setdefault(node.operation.service.name, []).append(number)
        everything = np.arange(forest.shape.spans)
        histograms = [one for one in self._series if one.instrument.family is Family.HISTOGRAM]
        names = [self._instances[one.instance].service.name for one in histograms if points.has_exemplar(one.index)]
        arrays = {name: np.array(numbers, np.int64) for name, numbers in by_service.items()}
        return [arrays.get(name, everything) for name in names]
