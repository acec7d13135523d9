from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeostat_server.query.comparison.differences import differences, figures_of
from homeostat_server.query.comparison.paths import Costs, Path, Step, costs_of
from homeostat_server.query.forest.forest import Forest

NS_PER_MS = 1e6


@dataclass(frozen=True)
class Seen:
    """Hold a span of a generated trace: its parent is an earlier one of the same trace, or none."""

    trace: int
    parent: int
    name: str
    start: int
    took: int
    is_error: bool


@st.composite
def worlds(draw: st.DrawFn) -> list[Seen]:
    """Draw some traces of a few spans, each a tree."""
    return [
        Seen(
            trace=trace,
            parent=draw(st.integers(0, number - 1)) if number else -1,
            name=draw(st.sampled_from("ab")),
            start=draw(st.integers(0, 50)),
            took=draw(st.integers(0, 50)),
            is_error=draw(st.booleans()),
        )
        for trace in range(draw(st.integers(1, 4)))
        for number in range(draw(st.integers(1, 6)))
    ]


def table_of(spans: Sequence[Seen]) -> pa.Table:
    """Return generated spans as the store gives them."""
    place: dict[int, int] = defaultdict(int)
    numbers = []
    for seen in spans:
        numbers.append(place[seen.trace])
        place[seen.trace] += 1

    def span_id(trace: int, number: int) -> bytes:
        return bytes([1, trace, number]) + bytes(5)

    parents = [bytes(8) if seen.parent < 0 else span_id(seen.trace, seen.parent) for seen in spans]
    ids = [span_id(seen.trace, number) for seen, number in zip(spans, numbers, strict=True)]
    return pa.table(
        {
            "trace_id": pa.array([bytes([seen.trace + 1] * 16) for seen in spans], pa.binary(16)),
            "span_id": pa.array(ids, pa.binary(8)),
            "parent_span_id": pa.array(parents, pa.binary(8)),
            "start_ns": pa.array([seen.start for seen in spans], pa.int64()),
            "duration_ns": pa.array([seen.took for seen in spans], pa.int64()),
            "service": pa.array([b"shop"] * len(spans), pa.binary()),
            "name": pa.array([seen.name.encode() for seen in spans], pa.binary()),
            "kind": pa.array([1] * len(spans), pa.int32()),
            "status_code": pa.array([2 if seen.is_error else 1 for seen in spans], pa.int32()),
            "weight": pa.array([1.0] * len(spans), pa.float64()),
            "source": pa.array([1] * len(spans), pa.uint64()),
        }
    )


def paths_of(spans: Sequence[Seen]) -> dict[Path, list[Seen]]:
    """Return spans by path, walking up from each."""
    by_trace: dict[int, list[Seen]] = defaultdict(list)
    for seen in spans:
        by_trace[seen.trace].append(seen)
    found: dict[Path, list[Seen]] = defaultdict(list)
    for seen in spans:
        path: Path = ()
        at: Seen | None = seen
        while at is not None:
            path = (Step("shop", at.name, 1), *path)
            at = by_trace[seen.trace][at.parent] if at.parent >= 0 else None
        found[path].append(seen)
    return found


def costs(spans: Sequence[Seen]) -> Costs:
    """Return what the paths of generated spans cost."""
    return costs_of(Forest.of(table_of(spans)))


@settings(max_examples=150, deadline=None)
@given(worlds())
def test_paths_are_those_of_a_walk_to_the_root(world: list[Seen]) -> None:
    """Calls, errors, presence and durations equal those of a plain list of spans."""
    found, expected = costs(world), paths_of(world)
    assert set(found.paths) == set(expected)
    for number, path in enumerate(found.paths):
        spans = expected[path]
        assert found.calls[number] == len(spans)
        assert found.errors[number] == sum(seen.is_error for seen in spans)
        assert found.present[number] == len({seen.trace for seen in spans})
        assert found.duration_sum_ns[number] == sum(seen.took for seen in spans)
        assert (found.only_span[number] >= 0) == (len(spans) == 1)


@settings(max_examples=150, deadline=None)
@given(left=worlds(), right=worlds())
def test_contributions_add_up_to_the_difference_of_the_durations(left: list[Seen], right: list[Seen]) -> None:
    """Each moment of a request is on one path, so nothing of the difference is left over or told twice."""
    costs_left, costs_right = costs(left), costs(right)
    found = differences(costs_left, costs_right)
    whole = figures_of(costs_right).mean_ms - figures_of(costs_left).mean_ms
    assert sum(each.contribution_ms for each in found) == pytest.approx(whole, abs=1e-9)
    assert {each.path for each in found} == set(costs_left.paths) | set(costs_right.paths)
    contributions = [abs(each.contribution_ms) for each in found]
    assert contributions == sorted(contributions, reverse=True)


@settings(deadline=None)
@given(worlds())
def test_a_side_does_not_differ_from_itself(world: list[Seen]) -> None:
    """Every path is on both sides and contributes nothing."""
    one = costs(world)
    for each in differences(one, one):
        assert each.contribution_ms == 0
        assert each.left == each.right
        assert each.p_value in {None, 1.0}
