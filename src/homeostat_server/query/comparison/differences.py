"""The differences between two sides, path by path, those first that matter most to the duration. It reads nothing."""

from dataclasses import dataclass
from math import erfc, sqrt
from typing import Final

import numpy as np

from homeostat_server.query.comparison.paths import Costs, Path
from homeostat_server.query.error_correlation.statistics import Reals, adjusted, grouped_quantile

NS_PER_MS: Final = 1e6
LEVELS: Final = (0.5, 0.95, 0.99)


@dataclass(frozen=True, slots=True, kw_only=True)
class PathFigures:
    """Hold what a path is like on one side, for one trace in the mean.

    Attributes:
        calls: spans.
        present: share of the traces that have it.
        self_ms: own time on the critical path.
        duration_ms: how long one span takes.
        error_rate: share of the spans with the status error.
    """

    calls: float
    present: float
    self_ms: float
    duration_ms: float
    error_rate: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Hold how a path differs.

    Attributes:
        path: from the root.
        left, right: what it is like on each side; None where it is not there.
        contribution_ms: by how much it makes the mean trace of the right side longer than that of the left.
        share: of all that paths make longer and shorter, 0 to 1.
        p_value: of a contribution as far from none by chance, None when a side is one trace.
        q_value: corrected for all paths.
    """

    path: Path
    left: PathFigures | None
    right: PathFigures | None
    contribution_ms: float
    share: float
    p_value: float | None
    q_value: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SideFigures:
    """Hold what the traces of a side are like; percentiles of how long their roots took."""

    traces: float
    spans_per_trace: float
    errors_per_trace: float
    mean_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float


def figures_of(costs: Costs) -> SideFigures:
    """Return what the traces of a side are like; zeros where there are none."""
    group = np.zeros(len(costs.weight), dtype=np.int64)
    totals = np.array([costs.traces])
    p50_ms, p95_ms, p99_ms = (
        float(grouped_quantile(group, costs.duration_ns, costs.weight, totals=totals, level=level)[0]) / NS_PER_MS
        for level in LEVELS
    )
    traces = max(costs.traces, 1e-300)
    return SideFigures(
        traces=costs.traces,
        spans_per_trace=float(costs.calls.sum()) / traces,
        errors_per_trace=float(costs.errors.sum()) / traces,
        mean_ms=float((costs.duration_ns * costs.weight).sum()) / traces / NS_PER_MS,
        p50_ms=p50_ms,
        p95_ms=p95_ms,
        p99_ms=p99_ms,
    )


def differences(left: Costs, right: Costs) -> list[Difference]:
    """Return how the paths of two sides differ, by the size of their contributions, then by path."""
    number_left = {path: number for number, path in enumerate(left.paths)}
    number_right = {path: number for number, path in enumerate(right.paths)}
    paths = list(dict.fromkeys([*left.paths, *right.paths]))
    at_left = np.array([number_left.get(path, -1) for path in paths], dtype=np.int64)
    at_right = np.array([number_right.get(path, -1) for path in paths], dtype=np.int64)
    mean_left, error_left = _means(left, at_left)
    mean_right, error_right = _means(right, at_right)
    contribution_ns = mean_right - mean_left
    moved_ns = max(float(np.abs(contribution_ns).sum()), 1e-300)
    p_values = _p_values(contribution_ns, np.sqrt(error_left + error_right))
    are_known = min(left.distinct, right.distinct) > 1
    q_values = adjusted(p_values)
    found = [
        Difference(
            path=path,
            left=_figures(left, at_left[number]),
            right=_figures(right, at_right[number]),
            contribution_ms=float(contribution_ns[number]) / NS_PER_MS,
            share=float(abs(contribution_ns[number])) / moved_ns,
            p_value=float(p_values[number]) if are_known else None,
            q_value=float(q_values[number]) if are_known else None,
        )
        for number, path in enumerate(paths)
    ]
    return sorted(found, key=lambda each: (-abs(each.contribution_ms), -_count_change(each), each.path))


def _count_change(difference: Difference) -> float:
    return abs(_calls(difference.right) - _calls(difference.left))


def _calls(figures: PathFigures | None) -> float:
    return 0.0 if figures is None else figures.calls


def _means(costs: Costs, at: np.ndarray) -> tuple[Reals, Reals]:
    """Return the mean own time of a trace on paths, and the square of its standard error."""
    there = at >= 0
    traces = max(costs.traces, 1e-300)
    mean = np.where(there, costs.self_ns[at] / traces if len(costs.paths) else 0.0, 0.0)
    squares = np.where(there, costs.self_squares[at] / traces if len(costs.paths) else 0.0, 0.0)
    return mean, np.maximum(squares - mean**2, 0) / max(1, costs.distinct - 1)


def _p_values(difference: Reals, error: Reals) -> Reals:
    """Return the two-sided p-values of Welch's test; means of so many traces are as good as normal."""
    return np.array(
        [
            1.0 if value == 0 else 0.0 if spread == 0 else erfc(abs(value) / spread / sqrt(2))
            for value, spread in zip(difference.tolist(), error.tolist(), strict=True)
        ]
    )


def _figures(costs: Costs, at: int) -> PathFigures | None:
    if at < 0:
        return None
    calls = float(costs.calls[at])
    return PathFigures(
        calls=calls / costs.traces,
        present=float(costs.present[at]) / costs.traces,
        self_ms=float(costs.self_ns[at]) / costs.traces / NS_PER_MS,
        duration_ms=float(costs.duration_sum_ns[at]) / calls / NS_PER_MS,
        error_rate=float(costs.errors[at]) / calls,
    )
