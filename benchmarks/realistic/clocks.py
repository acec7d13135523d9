"""Clocks: when each span of each round starts and ends.

Invariant: the order of all starts and ends within a trace is the template's in every round, so what lies inside its
parent stays there; every gap between two of them gets noise of its own, so durations never repeat.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.realistic.trees import Trace

Longs = NDArray[np.int64]
Floats = NDArray[np.float64]

_GAP_SIGMA: Final = 0.35
_TRACE_SIGMA: Final = 0.3
_DIURNAL: Final = 0.3
_DAY_NS: Final = 86_400 * 10**9
_LAG_MEAN_NS: Final = 5_000_000.0


@dataclass(frozen=True)
class Shape:
    """Hold a round's traces as columns; boundaries are starts and ends of spans, in order within each trace."""

    trace_of: Longs
    parent: Longs
    order: Longs
    """Boundary b is the start of span b, or the end of span b - spans."""
    gaps: Floats
    """Nanoseconds between a boundary and the one before it; 0 at a trace's first."""
    first: Longs
    """Position in `order` where each trace begins."""
    link_traces: Longs
    link_spans: Longs

    @property
    def spans(self) -> int:
        """Return the number of spans of a round."""
        return len(self.trace_of)

    @property
    def traces(self) -> int:
        """Return the number of traces of a round."""
        return len(self.first)


@dataclass(frozen=True)
class Times:
    """Hold the starts and ends of a round's spans in nanoseconds since 1970."""

    starts: Longs
    ends: Longs
    bases: Longs


def shape_of(traces: list[Trace]) -> Shape:
    """Turn traces into columns."""
    nodes = [node for trace in traces for node in trace.nodes]
    starts = np.array([node.start_ns for node in nodes])
    ends = starts + np.array([node.duration_ns for node in nodes])
    sizes = np.array([len(trace.nodes) for trace in traces])
    trace_of = np.repeat(np.arange(len(traces)), sizes)
    boundaries = np.concatenate([starts, ends])
    order = np.lexsort((boundaries, np.concatenate([trace_of, trace_of])))
    first = np.concatenate([[0], np.cumsum(2 * sizes)[:-1]]).astype(np.int64)
    gaps = np.diff(boundaries[order], prepend=0.0)
    gaps[first] = 0.0
    firsts = np.repeat(np.array([trace.first for trace in traces]), sizes)
    parent = np.array([node.parent for node in nodes])
    linked = [(position, trace.link) for position, trace in enumerate(traces) if trace.link >= 0]
    links = np.array(linked, np.int64).reshape(-1, 2)
    absolute = np.where(parent < 0, -1, parent + firsts)
    return Shape(trace_of, absolute, order, gaps, first, links[:, 0], links[:, 1])


def times(shape: Shape, random: np.random.Generator, *, start_ns: int, window_ns: int) -> Times:
    """Return times of a round whose traces start within the window, evenly with jitter."""
    position = (np.arange(shape.traces) + random.random(shape.traces)) / shape.traces
    bases = start_ns + (position * window_ns).astype(np.int64)
    slow = np.exp(_TRACE_SIGMA * random.standard_normal(shape.traces, np.float32)) * diurnal(bases)
    noise = np.exp(_GAP_SIGMA * random.standard_normal(2 * shape.spans, np.float32))
    gaps = shape.gaps * noise * np.repeat(slow, np.diff(shape.first, append=2 * shape.spans))
    elapsed = np.cumsum(gaps)
    boundaries = np.empty(2 * shape.spans, np.int64)
    before = elapsed[shape.first][shape.trace_of[shape.order % shape.spans]]
    boundaries[shape.order] = (elapsed - before).astype(np.int64)
    starts, ends = boundaries[: shape.spans], boundaries[shape.spans :]
    lag = random.exponential(_LAG_MEAN_NS, len(shape.link_traces)).astype(np.int64)
    bases[shape.link_traces] = bases[shape.trace_of[shape.link_spans]] + ends[shape.link_spans] + lag + 1
    base = bases[shape.trace_of]
    return Times(starts + base, ends + base, bases)


def diurnal(times_ns: Longs) -> Floats:
    """Return how much slower than usual the time of day is: 0.7 at night, 1.3 in the evening (UTC)."""
    phase = (times_ns % _DAY_NS) / _DAY_NS
    return 1.0 + _DIURNAL * np.sin(2 * np.pi * (phase - 0.5))
