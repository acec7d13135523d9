"""`query.forest` says of many traces at once what a slow and obvious walk says of each."""

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from homeostat_server.query.forest.forest import Forest
from tests.slow_traces import Node, Said, table, trees

SERVICES = ("shop", "till", "store")

said = st.builds(
    Said,
    trace=st.integers(0, 2),
    # Few ids, so that the same span comes again, parents are missing, and they go round in rings.
    span=st.integers(1, 12),
    parent=st.integers(0, 13),
    start_ns=st.integers(0, 60),
    duration_ns=st.integers(-3, 40),
    service=st.sampled_from(SERVICES),
    name=st.sampled_from(("read", "write")),
    kind=st.integers(0, 5),
    status=st.integers(0, 2),
)
rows = st.lists(said, max_size=40)


@st.composite
def wide(draw: st.DrawFn) -> list[Said]:
    """Give one trace with many children under few parents, as they are outside of tests."""
    count = draw(st.integers(1, 40))
    spans = [Said(trace=7, span=1, parent=0, start_ns=0, duration_ns=1_000, kind=2)]
    spans.extend(
        Said(
            trace=7,
            span=number,
            parent=draw(st.integers(1, min(number - 1, 4))),
            start_ns=draw(st.integers(-50, 1_000)),
            duration_ns=draw(st.sampled_from((0, 1, 5, 5, 20, 100, 400, 900))),
            service=draw(st.sampled_from(SERVICES)),
            kind=draw(st.integers(1, 5)),
        )
        for number in range(2, count + 2)
    )
    return draw(st.permutations(spans))


def compare(spans: list[Said]) -> None:
    """Assert that both ways say the same of every span."""
    forest = Forest.of(table(spans))
    # What began first is first there, and breaks ties: the slow way is given the rows in that order.
    order = sorted(range(len(spans)), key=lambda row: (spans[row].start_ns, row))
    nodes = {order[node.row]: node for node in trees([spans[row] for row in order])}
    assert set(forest.row.tolist()) == set(nodes)
    assert forest.repeated == len(spans) - len(nodes)
    paths = forest.critical_paths
    for position, row in enumerate(forest.row.tolist()):
        node = nodes[row]
        above = int(forest.parent[position])
        parent = None if above < 0 else nodes[int(forest.row[above])]
        assert parent is node.parent
        assert _facts(forest, position) == _said(node)
        found = (int(paths.self_ns[position]), bool(paths.is_on[position]), bool(paths.is_root[position]))
        assert found == (node.self_ns, node.is_on_path, node.begins_path)


def _facts(forest: Forest, position: int) -> tuple[object, ...]:
    return (
        forest.trace_ids[forest.trace[position]].tobytes(),
        forest.span_ids[position].tobytes(),
        forest.services[forest.service[position]],
        forest.operations[forest.operation[position]],
        bool(forest.is_orphan[position]),
        bool(forest.is_cut[position]),
        int(forest.depth[position]),
        int(forest.start_ns[position] + forest.moved_ns[position]),
        int(forest.end_ns[position] + forest.moved_ns[position]),
    )


def _said(node: Node) -> tuple[object, ...]:
    said = node.said
    return (
        said.trace.to_bytes(16),
        said.span.to_bytes(8),
        said.service.encode(),
        said.name.encode(),
        node.is_orphan,
        node.is_cut,
        node.depth,
        node.start,
        node.end,
    )


@settings(deadline=None)
@given(rows)
def test_any_rows_make_the_same_trees_and_paths(spans: list[Said]) -> None:
    """Repeated ids, missing parents, rings, orphans, several roots, skewed clocks: none of it makes a difference."""
    compare(spans)


@settings(deadline=None)
@given(wide())
def test_many_children_hold_up_the_same_parents(spans: list[Said]) -> None:
    """Whichever of many children ended last before the walk is on the path, in whatever order rows come."""
    compare(spans)


@settings(deadline=None)
@given(rows)
def test_self_times_of_a_path_add_up_to_its_root(spans: list[Said]) -> None:
    """Each moment of a root belongs to one span."""
    forest = Forest.of(table(spans))
    paths = forest.critical_paths
    by_root = np.zeros(len(forest), np.int64)
    np.add.at(by_root, paths.root, paths.self_ns)
    assert (paths.self_ns >= 0).all()
    lasted = forest.end_ns - forest.start_ns
    assert by_root[paths.is_root].tolist() == lasted[paths.is_root].tolist()
    assert not by_root[~paths.is_root].any()


@settings(deadline=None)
@given(rows)
def test_children_are_listed_by_parent(spans: list[Said]) -> None:
    """The children of a span are those that name it."""
    forest = Forest.of(table(spans))
    for position in range(len(forest)):
        listed = forest.children[forest.child_offsets[position] : forest.child_offsets[position + 1]]
        assert listed.tolist() == np.flatnonzero(forest.parent == position).tolist()


def test_a_long_chain_and_long_times_are_followed() -> None:
    """Neither thousands of spans below each other nor days of them break anything."""
    day = 86_400 * 10**9
    chain = [
        Said(trace=1, span=number + 1, parent=number, start_ns=number, duration_ns=30 * day - 2 * number)
        for number in range(3_000)
    ]
    forest = Forest.of(table(chain))
    assert int(forest.depth.max()) == 2_999
    assert int(forest.critical_paths.self_ns.sum()) == 30 * day


def test_far_times_are_compared_without_a_key() -> None:
    """Durations that leave no room for a parent beside them in 64 bits are sorted by both."""
    compare(
        [
            Said(trace=1, span=1, parent=0, start_ns=0, duration_ns=2**61),
            *(
                Said(trace=1, span=number, parent=1, start_ns=number * 2**55, duration_ns=2**55 + number % 2)
                for number in range(2, 40)
            ),
        ]
    )


def test_no_rows_make_an_empty_forest() -> None:
    """No spans are no traces, and no error."""
    for empty in (table([]), pa.Table.from_batches([], schema=table([]).schema)):
        forest = Forest.of(empty)
        assert (len(forest), len(forest.trace_ids), len(forest.critical_paths.self_ns)) == (0, 0, 0)
