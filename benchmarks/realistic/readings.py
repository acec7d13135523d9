"""Readings: the values of all series of the fleet, one export after the other.

Invariant: cumulative values never fall; every increment is jittered, and slower by night (the diurnal curve of spans).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.realistic import clocks, values
from benchmarks.realistic.points import (
    BOUNDS,
    BUCKETS,
    EXPONENTIAL_OFFSET,
    EXPONENTIAL_SCALE,
    EXPONENTIAL_WORDS,
    QUANTILES,
)
from benchmarks.realistic.series import Family
from benchmarks.realistic.spans import SPAN, TRACE_HIGH, TRACE_LOW, Forest
from benchmarks.realistic.values import Floats, Words

Longs = NDArray[np.int64]

_EDGES: Final = np.array([0.001, *BOUNDS, 20.0])
_MIDDLES: Final = np.sqrt(_EDGES[:-1] * _EDGES[1:])
_JITTER_NS: Final = 400_000_000
_BUCKET_MAX: Final = 127


@dataclass(frozen=True)
class Exemplars:
    """Say which spans the exemplars of one export name."""

    spans: Longs
    round_number: int


@dataclass(frozen=True)
class Moment:
    """Say when an export happens."""

    tick: int
    time_ns: int
    interval_ns: int


class Readings:
    """Advance every series export by export; deterministic by seed and the moments given."""

    def __init__(
        self, shares: dict[Family, Floats], *, instances: int, forest: Forest, seed: int, start_ns: int
    ) -> None:
        """Start all processes within the hour before `start_ns`."""
        self._seed = seed
        self._counts = counts = {family: len(share) for family, share in shares.items()}
        self._forest = forest
        source = values.generator(seed=seed, round_number=0, purpose=5)
        self._phase = source.integers(0, 14_000_000_000, instances)
        self._begun = start_ns - source.integers(60 * 10**9, 3600 * 10**9, instances)
        self._last: Longs = np.maximum(self._begun, start_ns - 15 * 10**9 + self._phase)
        self._rates: dict[Family, Floats] = {
            family: np.exp(2.2 + 1.4 * source.standard_normal(len(share))) * share for family, share in shares.items()
        }
        self._requests: Longs = (self._rates[Family.COUNTER] * 1800).astype(np.int64)
        self._cpu: Floats = self._rates[Family.CLOCK] * 10.0
        self._levels: dict[Family, Floats] = {
            family: self._rates[family] * 20.0 for family in (Family.GAUGE, Family.LEVEL, Family.UP_DOWN)
        }
        histograms = counts[Family.HISTOGRAM]
        self._profile = _profiles(source, histograms)
        self._buckets = np.zeros((histograms, BUCKETS), np.int64)
        self._sums = np.zeros(histograms)
        self._summary = np.zeros((2, counts[Family.SUMMARY]))

    def sizes(self) -> dict[str, int]:
        """Return the sections of the table of values, in order."""
        counts = self._counts
        histograms, exponentials = counts[Family.HISTOGRAM], counts[Family.EXPONENTIAL]
        instances, exemplars = len(self._phase), (histograms + 1) // 2
        sizes = dict.fromkeys("bpt", instances)
        sizes |= {section: counts[family] for family, section in zip(_NUMBERS, "CFKQJD", strict=True)}
        sizes |= {"H": histograms, "V": histograms, "B": histograms * BUCKETS, "m": histograms, "x": histograms}
        sizes |= dict.fromkeys("wyTUSN", exemplars)
        sizes |= dict.fromkeys("cszij", exponentials) | {"e": exponentials * EXPONENTIAL_WORDS}
        summaries = counts[Family.SUMMARY]
        return sizes | {"u": summaries, "v": summaries, "q": summaries * len(QUANTILES)}

    def postpone(self, delay_ns: int) -> None:
        """Let all processes have started, and exported last, later."""
        self._begun = self._begun + delay_ns
        self._last = self._last + delay_ns

    def advance(self, moment: Moment, exemplars: Exemplars) -> Words:
        """Return the values of the next export, in the order of `sizes`."""
        source = values.generator(seed=self._seed, round_number=moment.tick, purpose=6)
        times = moment.time_ns + self._phase + source.integers(0, _JITTER_NS, len(self._phase))
        seconds = moment.interval_ns / 1e9
        busy = seconds * float(clocks.diurnal(np.array([moment.time_ns]))[0])
        columns = [values.integers(self._begun), values.integers(self._last), values.integers(times)]
        columns += self._numbers(source, busy)
        columns += self._histograms(source, busy)
        columns += self._exemplars(source, exemplars, moment)
        columns += self._exponentials(source)
        columns += self._summaries(source, busy)
        self._last = times
        return np.concatenate(columns)

    def _numbers(self, source: np.random.Generator, busy: float) -> list[Words]:
        self._requests += self._whole_increments(source, Family.COUNTER, busy)
        self._cpu += self._increments(source, Family.CLOCK, busy) * 0.001
        delta = self._whole_increments(source, Family.DELTA, busy)
        gauge = self._wander(source, Family.GAUGE)
        level = self._wander(source, Family.LEVEL) * 1000
        up_down = self._wander(source, Family.UP_DOWN)
        sums = [values.integers(self._requests), values.doubles(self._cpu), values.integers(delta)]
        wandering = [values.integers(column.astype(np.int64)) for column in (level, up_down)]
        return [*sums, values.doubles(gauge), *wandering]

    def _whole_increments(self, source: np.random.Generator, family: Family, busy: float) -> Longs:
        """Round increments up or down by chance, so that slow counters rise now and then."""
        increments = self._increments(source, family, busy)
        whole: Longs = (increments + source.random(len(increments))).astype(np.int64)
        return whole

    def _increments(self, source: np.random.Generator, family: Family, busy: float) -> Floats:
        increments: Floats = self._rates[family] * busy * (0.4 + 1.2 * source.random(self._counts[family]))
        return increments

    def _wander(self, source: np.random.Generator, family: Family) -> Floats:
        """Take a step back to the usual level and a random one away from it."""
        level, usual = self._levels[family], self._rates[family] * 20.0
        level += 0.1 * (usual - level) + 0.08 * usual * source.standard_normal(len(level))
        np.maximum(level, 0.0, out=level)
        return level

    def _histograms(self, source: np.random.Generator, busy: float) -> list[Words]:
        rates = self._rates[Family.HISTOGRAM][:, None] * self._profile
        added = (rates * busy * (0.4 + 1.2 * source.random(rates.shape)) + source.random(rates.shape)).astype(np.int64)
        self._buckets += added
        self._sums += (added * _MIDDLES).sum(axis=1) * (0.95 + 0.1 * source.random(len(self._sums)))
        low = 0.001 + 0.003 * source.random(len(self._sums))
        high = _EDGES[1:][self._profile.argmax(axis=1)] * (1.0 + source.random(len(self._sums)))
        counts = values.integers(self._buckets.sum(axis=1))
        buckets = values.integers(self._buckets.ravel())
        return [counts, values.doubles(self._sums), buckets, values.doubles(low), values.doubles(high)]

    def _exemplars(self, source: np.random.Generator, exemplars: Exemplars, moment: Moment) -> list[Words]:
        spans, number = exemplars.spans, exemplars.round_number
        traces = self._forest.shape.trace_of[spans]
        when = moment.time_ns - source.integers(0, moment.interval_ns, len(spans))
        seen = _MIDDLES[self._profile.argmax(axis=1)[::2]] * np.exp(0.3 * source.standard_normal(len(spans)))
        ids = [
            values.identities(domain, seed=self._seed, round_number=number, index=index)
            for domain, index in ((TRACE_HIGH, traces), (TRACE_LOW, traces), (SPAN, spans))
        ]
        customers = values.generator(seed=self._seed, round_number=number, purpose=1)
        users = values.users(customers, self._forest.shape.traces)
        return [values.integers(when), values.doubles(seen), *ids, values.digits(users[traces])]

    def _exponentials(self, source: np.random.Generator) -> list[Words]:
        count = self._counts[Family.EXPONENTIAL]
        width = EXPONENTIAL_WORDS * 8
        hill = 100.0 * np.exp(-(((np.arange(width) - width / 2) / 4.0) ** 2))
        counts = np.minimum(hill * (0.2 + source.random((count, width))), _BUCKET_MAX).astype(np.uint8)
        zero = source.integers(0, 4, count)
        base = 2.0 ** (2.0**-EXPONENTIAL_SCALE)
        middles = base ** (EXPONENTIAL_OFFSET + np.arange(width) + 0.5)
        totals = (counts * middles).sum(axis=1)
        low = np.full(count, middles[0]) * (0.97 + 0.05 * source.random(count))
        high = np.full(count, middles[-1]) * (0.97 + 0.05 * source.random(count))
        sums = [counts.sum(axis=1).astype(np.int64) + zero, totals]
        words = np.ascontiguousarray(counts).view("<u8").ravel().astype(np.uint64)
        head = [values.integers(sums[0]), values.doubles(sums[1]), values.integers(zero)]
        return [*head, values.doubles(low), values.doubles(high), words]

    def _summaries(self, source: np.random.Generator, busy: float) -> list[Words]:
        count = self._counts[Family.SUMMARY]
        added = np.floor(self._increments(source, Family.SUMMARY, busy))
        usual = 1.0 + self._rates[Family.SUMMARY]
        self._summary += np.stack([added, added * usual * (0.9 + 0.2 * source.random(count))])
        steps = 0.2 + source.random((count, len(QUANTILES))) * np.array([0.5, 0.6, 0.5, 2.0])
        quantiles = usual[:, None] * np.cumsum(steps, axis=1)
        return [
            values.integers(self._summary[0].astype(np.int64)),
            values.doubles(self._summary[1]),
            values.doubles(quantiles.ravel()),
        ]


_NUMBERS: Final = (Family.COUNTER, Family.CLOCK, Family.DELTA, Family.GAUGE, Family.LEVEL, Family.UP_DOWN)


def _profiles(source: np.random.Generator, histograms: int) -> Floats:
    """Return each histogram's shares of its buckets: a lognormal hill around a median of its own."""
    medians = np.exp(-3.5 + 0.9 * source.standard_normal((histograms, 1)))
    hill = np.exp(-(((np.log(_MIDDLES)[None, :] - np.log(medians)) / 0.9) ** 2) / 2)
    profile: Floats = hill / hill.sum(axis=1, keepdims=True)
    return profile
