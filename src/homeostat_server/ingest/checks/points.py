"""When one data point of each metric kind can be stored. It does not know metrics or requests."""

import math
from collections.abc import Callable, Iterable, Mapping
from operator import lt
from typing import Any, Final

from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    Exemplar,
    ExponentialHistogramDataPoint,
    HistogramDataPoint,
    SummaryDataPoint,
)

from homeostat_server.ingest.checks.refusals import NESTED_MAX, SPAN_ID_BYTES, TIME_NS_MAX, TRACE_ID_BYTES, Refusal

# The scales that the specification's mapping functions are defined and tested for.
_SCALE_MIN: Final = -10
_SCALE_MAX: Final = 20

# Bucket i covers (2**(i * 2**-scale), 2**((i + 1) * 2**-scale)]; doubles lie between 2**-1074 and 2**1024.
_EXPONENT_MIN: Final = -1074
_EXPONENT_MAX: Final = 1024

_ID_LENGTHS: Final = ((0, TRACE_ID_BYTES), (0, SPAN_ID_BYTES))


def refusal_of_point(point: Any, *, kind: str, attributes_max: int) -> Refusal | None:  # noqa: ANN401 - of five types
    """Return why the data point cannot be stored, None when it can.

    Args:
        point: a data point.
        kind: the member of `Metric.data` that holds it, such as "histogram".
        attributes_max: bound of its attributes.
    """
    if not 0 < point.time_unix_nano <= TIME_NS_MAX or point.start_time_unix_nano > TIME_NS_MAX:
        return Refusal.TIME
    if len(point.attributes) > attributes_max:
        return Refusal.ATTRIBUTES
    return refusal_of_shape(point, kind=kind)


def refusal_of_shape(point: Any, *, kind: str) -> Refusal | None:  # noqa: ANN401 - as above
    """Return why what only this kind of point has cannot be stored, None when it can."""
    shape = SHAPES.get(kind)
    refusal = shape(point) if shape else None
    if refusal is None and kind in KINDS_WITH_EXEMPLARS:
        return refusal_of_exemplars(point.exemplars)
    return refusal


def refusal_of_exemplars(exemplars: Iterable[Exemplar]) -> Refusal | None:
    """Return why one of the exemplars cannot be stored, None when all can."""
    for count, exemplar in enumerate(exemplars, start=1):
        if count > NESTED_MAX:
            return Refusal.NESTED
        lengths = (len(exemplar.trace_id), len(exemplar.span_id))
        if exemplar.time_unix_nano > TIME_NS_MAX or any(map(_is_outside, lengths, _ID_LENGTHS)):
            return Refusal.EXEMPLAR
    return None


def _is_outside(length: int, allowed: tuple[int, ...]) -> bool:
    return length not in allowed


def _refusal_of_histogram(point: HistogramDataPoint) -> Refusal | None:
    counts, bounds = len(point.bucket_counts), point.explicit_bounds
    if counts > NESTED_MAX:
        return Refusal.NESTED
    if not counts and not len(bounds):
        return None
    if counts != len(bounds) + 1:
        return Refusal.BUCKETS
    # NaN is neither less nor more than anything, so it never passes; alone it has to be compared with itself.
    grows = all(map(lt, bounds, bounds[1:])) if counts > 2 else all(bound == bound for bound in bounds)  # noqa: PLR0124
    return None if grows else Refusal.BUCKETS


def _refusal_of_exponential(point: ExponentialHistogramDataPoint) -> Refusal | None:
    scale = point.scale
    if not _SCALE_MIN <= scale <= _SCALE_MAX:
        return Refusal.SCALE
    for buckets in (point.positive, point.negative):
        counts, offset = len(buckets.bucket_counts), buckets.offset
        if counts > NESTED_MAX:
            return Refusal.NESTED
        # The upper edge of the first bucket and the lower edge of the last: a bucket may reach beyond what a double is.
        first, last = math.ldexp(offset + 1, -scale), math.ldexp(offset + counts - 1, -scale)
        if counts and (first < _EXPONENT_MIN or last > _EXPONENT_MAX):
            return Refusal.SCALE
    return None


def _refusal_of_summary(point: SummaryDataPoint) -> Refusal | None:
    return Refusal.NESTED if len(point.quantile_values) > NESTED_MAX else None


SHAPES: Final[Mapping[str, Callable[[Any], Refusal | None]]] = {
    "histogram": _refusal_of_histogram,
    "exponential_histogram": _refusal_of_exponential,
    "summary": _refusal_of_summary,
}
"""What is checked beyond times, attributes and exemplars, by kind."""

KINDS_WITH_EXEMPLARS: Final = frozenset({"gauge", "sum", "histogram", "exponential_histogram"})
