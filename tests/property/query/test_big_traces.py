"""Trees, rows and flame graphs against a slow reading of the same spans."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from homeostat_server.query.big_traces.flamegraph import flame_graph
from homeostat_server.query.big_traces.rows import View, visible_rows
from homeostat_server.query.big_traces.structure import LEVELS_MAX, TraceTree
from homeostat_server.query.big_traces.summary import summarize
from homeostat_server.query.forest.forest import Forest

SETTINGS = settings(max_examples=100, deadline=None)


@dataclass(frozen=True, slots=True)
class Called:
    """Hold a span; its id is its place in the list plus one, its parent one before it, or nobody (-1), or lost (-2)."""

    parent: int
    start_ns: int
    duration_ns: int
    service: str
    failed: bool


@st.composite
def traces(draw: st.DrawFn) -> list[Called]:
    """Draw a trace whose spans begin when they like."""
    count = draw(st.integers(1, 30))
    return [
        Called(
            parent=draw(st.integers(-2 if number else -1, number - 1)),
            start_ns=draw(st.integers(0, 20)),
            duration_ns=draw(st.integers(-1, 20)),
            service=draw(st.sampled_from(["a", "b"])),
            failed=draw(st.booleans()),
        )
        for number in range(count)
    ]


def tree_of(spans: Sequence[Called], *, levels_max: int = LEVELS_MAX) -> TraceTree:
    """Return the tree of the spans as the store would give them."""
    count = len(spans)

    def ids(numbers: list[int], width: int) -> pa.Array:
        return pa.array([number.to_bytes(width) for number in numbers], pa.binary(width))

    table = pa.table(
        {
            "trace_id": ids([7] * count, 16),
            "span_id": ids([number + 1 for number in range(count)], 8),
            "parent_span_id": ids([span.parent + 1 if span.parent >= -1 else 2**40 for span in spans], 8),
            "start_ns": pa.array([span.start_ns for span in spans], pa.int64()),
            "duration_ns": pa.array([span.duration_ns for span in spans], pa.int64()),
            "service": pa.array([span.service.encode() for span in spans], pa.binary()),
            "name": pa.array([b"do"] * count, pa.binary()),
            "kind": pa.array([1] * count, pa.int32()),
            "status_code": pa.array([2 * span.failed for span in spans], pa.int32()),
            "weight": pa.array([1.0] * count, pa.float64()),
            "source": pa.array([1] * count, pa.uint64()),
        }
    )
    return TraceTree.of(Forest.of(table), levels_max=levels_max)


def children(spans: Sequence[Called]) -> dict[int, list[int]]:
    """Return the numbers of each span's children, by start and id; those of -1 are the roots."""
    found: dict[int, list[int]] = defaultdict(list)
    for number, span in enumerate(spans):
        found[max(span.parent, -1)].append(number)
    return {number: sorted(listed, key=lambda each: (spans[each].start_ns, each)) for number, listed in found.items()}


def walked(spans: Sequence[Called], is_open: Sequence[bool]) -> list[int]:
    """Return the numbers of the spans that can be seen, each before what it called."""
    below = children(spans)

    def walk(number: int) -> list[int]:
        shown = [number]
        if is_open[number]:
            shown += [each for child in below.get(number, []) for each in walk(child)]
        return shown

    return [each for root in below[-1] for each in walk(root)]


def self_time(spans: Sequence[Called], number: int) -> int:
    """Return in how many nanoseconds of a span none of its children ran, counted one by one."""
    span = spans[number]
    ran = {
        moment
        for child in children(spans).get(number, [])
        for moment in range(spans[child].start_ns, spans[child].start_ns + spans[child].duration_ns)
    }
    return sum(moment not in ran for moment in range(span.start_ns, span.start_ns + span.duration_ns))


def depths(spans: Sequence[Called]) -> list[int]:
    """Return how many spans are above each."""
    found: list[int] = []
    for span in spans:
        found.append(found[span.parent] + 1 if span.parent >= 0 else 0)
    return found


@SETTINGS
@given(spans=traces(), data=st.data(), levels_max=st.sampled_from([0, LEVELS_MAX]))
def test_rows_are_those_that_a_walk_sees(spans: list[Called], data: st.DataObject, levels_max: int) -> None:
    """Whatever is open, in windows of any size; deep trees are made another way, and are the same."""
    tree = tree_of(spans, levels_max=levels_max)
    numbers = st.lists(st.integers(0, len(spans) - 1), max_size=3)
    opened, closed, depth = data.draw(numbers), data.draw(numbers), data.draw(st.integers(0, 4))
    is_open = [
        (above < depth or number in opened) and number not in closed for number, above in enumerate(depths(spans))
    ]
    view = View(depth=depth, opened=[bytes_of(each) for each in opened], closed=[bytes_of(each) for each in closed])
    expected = walked(spans, is_open)
    offset, rows_max = data.draw(st.integers(0, len(spans))), data.draw(st.integers(1, 10))
    found = visible_rows(tree, view, offset=offset, rows_max=rows_max)
    assert found.total == len(expected)
    assert [int(row.span_id, 16) - 1 for row in found.rows] == expected[offset : offset + rows_max]


def bytes_of(number: int) -> bytes:
    """Return the id of a span."""
    return (number + 1).to_bytes(8)


@SETTINGS
@given(spans=traces(), data=st.data())
def test_a_span_to_show_is_in_the_window(spans: list[Called], data: st.DataObject) -> None:
    """All above it are open, whatever else is closed."""
    number = data.draw(st.integers(0, len(spans) - 1))
    found = visible_rows(tree_of(spans), View(depth=0, show=bytes_of(number)), offset=0, rows_max=3)
    assert found.shown is not None
    assert found.offset <= found.shown < found.offset + 3
    assert int(found.rows[found.shown - found.offset].span_id, 16) == number + 1


@SETTINGS
@given(spans=traces())
def test_a_row_says_what_is_below_it(spans: list[Called]) -> None:
    """Counts, errors and the time of its own."""
    below = children(spans)

    def all_below(number: int) -> list[int]:
        return [each for child in below.get(number, []) for each in (child, *all_below(child))]

    for row in visible_rows(tree_of(spans), View(), offset=0, rows_max=100).rows:
        number = int(row.span_id, 16) - 1
        span = spans[number]
        assert row.depth == depths(spans)[number]
        assert row.children == len(below.get(number, []))
        assert row.descendants == len(all_below(number))
        assert row.errors == sum(spans[each].failed for each in (number, *all_below(number)))
        assert row.self_ns == self_time(spans, number)
        assert row.duration_ns == max(span.duration_ns, 0)
        assert row.offset_ns == span.start_ns - min(each.start_ns for each in spans)
        assert row.is_orphan == (span.parent == -2)
        assert row.is_open == bool(row.children)


@SETTINGS
@given(spans=traces(), frames_max=st.integers(1, 30))
def test_a_flame_graph_adds_up(spans: list[Called], frames_max: int) -> None:
    """Each frame is the sum of the spans of its path; with a bound, what is given hangs together."""
    paths: dict[tuple[str, ...], list[int]] = defaultdict(list)
    path_of: list[tuple[str, ...]] = []
    for number, span in enumerate(spans):
        path_of.append((*(path_of[span.parent] if span.parent >= 0 else ()), span.service))
        paths[path_of[number]].append(number)
    whole = flame_graph(tree_of(spans), frames_max=1_000)
    assert (whole.frames_left_out, whole.spans_left_out) == (0, 0)
    named: dict[int, tuple[str, ...]] = {}
    for frame in whole.frames:
        above = () if frame.parent is None else named[frame.parent]
        named[frame.number] = (*above, frame.service)
        members = paths[named[frame.number]]
        assert frame.spans == len(members)
        assert frame.errors == sum(spans[each].failed for each in members)
        assert frame.total_ns == sum(max(spans[each].duration_ns, 0) for each in members)
        assert frame.self_ns == sum(self_time(spans, each) for each in members)
    assert sorted(named.values()) == sorted(paths)
    bounded = flame_graph(tree_of(spans), frames_max=frames_max)
    assert len(bounded.frames) == min(frames_max, len(paths))
    assert all(frame.parent is not None or frame.depth == 0 for frame in bounded.frames)
    assert bounded.spans_left_out == len(spans) - sum(frame.spans for frame in bounded.frames)


@SETTINGS
@given(spans=traces())
def test_a_summary_counts_everything_once(spans: list[Called]) -> None:
    """The root is the first that says no parent."""
    found = summarize(tree_of(spans))
    roots = sorted((span.parent == -2, span.start_ns, number) for number, span in enumerate(spans) if span.parent < 0)
    start_ns = min(span.start_ns for span in spans)
    assert int(found.root.span_id, 16) - 1 == roots[0][2]
    assert (found.spans, found.roots) == (len(spans), len(roots))
    assert found.errors == sum(span.failed for span in spans)
    assert found.orphans == sum(span.parent == -2 for span in spans)
    assert found.depth == max(depths(spans)) + 1
    assert found.duration_ns == max(span.start_ns + max(span.duration_ns, 0) for span in spans) - start_ns
    assert sum(part.spans for part in found.services) == len(spans)
    assert [int(row.span_id, 16) - 1 for row in found.first_level] == children(spans).get(roots[0][2], [])
