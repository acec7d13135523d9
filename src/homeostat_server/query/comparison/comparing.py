"""The two questions: one trace against another, one set of traces against another. It knows no HTTP."""

from dataclasses import dataclass, field

from homeostat_server.model.tenant import Tenant
from homeostat_server.query.comparison.attributes import AttributeDifference, attribute_differences
from homeostat_server.query.comparison.differences import Difference, SideFigures, differences, figures_of
from homeostat_server.query.comparison.paths import Costs, Path, costs_of
from homeostat_server.query.comparison.sides import Side, TraceSet, read_set, read_trace
from homeostat_server.store.ports import TelemetryReader


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Hold what is different.

    Attributes:
        left, right: what the traces of each side are like.
        left_read, right_read: how many of them were read; left_is_all, right_is_all whether these are all.
        differences: by path, those first that matter most to the whole duration.
        paths: how many paths there are.
        attributes: which attributes differ, by path; of two traces only.
    """

    left: SideFigures
    right: SideFigures
    left_read: int
    right_read: int
    left_is_all: bool
    right_is_all: bool
    differences: list[Difference]
    paths: int
    attributes: dict[Path, list[AttributeDifference]] = field(default_factory=dict)


def compare_traces(
    reader: TelemetryReader, *, tenant: Tenant, left_id: str, right_id: str, differences_max: int
) -> Compared:
    """Return how one trace differs from another.

    Raises:
        NotFound: there is no such trace.
        QueryLimit: one of them is too large.
    """
    left = read_trace(reader, tenant=tenant, trace_id=left_id)
    right = read_trace(reader, tenant=tenant, trace_id=right_id)
    costs_left, costs_right = costs_of(left.forest), costs_of(right.forest)
    attributes = attribute_differences(reader, tenant=tenant, left=(left, costs_left), right=(right, costs_right))
    return _compared((left, costs_left), (right, costs_right), differences_max, attributes)


def compare_sets(
    reader: TelemetryReader, *, tenant: Tenant, left: TraceSet, right: TraceSet, differences_max: int
) -> Compared:
    """Return how the traces of one set differ from those of another; large sets are sampled.

    Raises:
        QueryLimit: the traces of a side have too many spans.
    """
    side_left, side_right = (read_set(reader, tenant=tenant, traces=traces) for traces in (left, right))
    costs_left, costs_right = costs_of(side_left.forest), costs_of(side_right.forest)
    return _compared((side_left, costs_left), (side_right, costs_right), differences_max, {})


def _compared(
    left: tuple[Side, Costs],
    right: tuple[Side, Costs],
    differences_max: int,
    attributes: dict[Path, list[AttributeDifference]],
) -> Compared:
    found = differences(left[1], right[1]) if left[1].paths or right[1].paths else []
    return Compared(
        left=figures_of(left[1]),
        right=figures_of(right[1]),
        left_read=left[1].distinct,
        right_read=right[1].distinct,
        left_is_all=left[0].is_all,
        right_is_all=right[0].is_all,
        differences=found[:differences_max],
        paths=len(found),
        attributes=attributes,
    )
