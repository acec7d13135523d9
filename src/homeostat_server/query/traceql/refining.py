"""What happens to series once they are measured: the highest or lowest stay, or what passes a threshold."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from operator import eq, ge, gt, le, lt, ne
from typing import Final

from homeostat_server.query.traceql.results import Sample, Series
from homeostat_server.query.traceql.tree import Operator, Rank, Threshold

_COMPARE: Final[Mapping[Operator, Callable[[float, float], bool]]] = {
    Operator.EQUAL: eq,
    Operator.NOT_EQUAL: ne,
    Operator.LESS: lt,
    Operator.LESS_EQUAL: le,
    Operator.GREATER: gt,
    Operator.GREATER_EQUAL: ge,
}


def refine(series: tuple[Series, ...], refinements: Sequence[Rank | Threshold]) -> tuple[Series, ...]:
    """Return what stays of series after all refinements; a series without samples does not."""
    for refinement in refinements:
        series = _ranked(series, refinement) if isinstance(refinement, Rank) else _passed(series, refinement)
    return series


def _passed(series: Iterable[Series], threshold: Threshold) -> tuple[Series, ...]:
    holds = _COMPARE[threshold.operator]
    return _with_samples(series, lambda _, sample: holds(sample.value, threshold.value))


def _ranked(series: Sequence[Series], rank: Rank) -> tuple[Series, ...]:
    """Return the highest or lowest samples of each step; of equal ones those of the earlier series."""
    sign = -1 if rank.function == "topk" else 1
    at: dict[int, list[tuple[float, int]]] = {}
    for number, line in enumerate(series):
        for sample in line.samples:
            at.setdefault(sample.time_ms, []).append((sign * sample.value, number))
    kept = {(time_ms, number) for time_ms, values in at.items() for _, number in sorted(values)[: rank.count]}
    return _with_samples(series, lambda number, sample: (sample.time_ms, number) in kept)


def _with_samples(series: Iterable[Series], keeps: Callable[[int, Sample], bool]) -> tuple[Series, ...]:
    found = (
        replace(line, samples=tuple(sample for sample in line.samples if keeps(number, sample)))
        for number, line in enumerate(series)
    )
    return tuple(line for line in found if line.samples)
