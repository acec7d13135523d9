"""Service map, critical paths and figures equal a slow reference, however spans came and whatever was summed up."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from homeostat_server.model.tenant import Tenant
from homeostat_server.query.bottlenecks.asking import BottlenecksRequest, bottlenecks
from homeostat_server.query.service_map.asking import MapRequest, service_map
from homeostat_server.query.service_map.drawing import ServiceMap
from homeostat_server.query.service_map.figures import Figures
from homeostat_server.query.services.figures import list_services
from homeostat_server.query.summaries.buckets import BUCKET_NS
from homeostat_server.query.summaries.form import stored_rows
from homeostat_server.query.summaries.freshness import found_buckets
from homeostat_server.query.summaries.keeping import KeptSummaries
from homeostat_server.query.summaries.reading import read_bucket
from homeostat_server.query.summaries.window import Summaries
from homeostat_server.query.window import Window
from tests import otlp, slow_summaries
from tests.said_spans import WEIGHTS, request
from tests.slow_traces import Node, Said, trees
from tests.telemetry_store import FilledStore

SETTINGS = settings(
    max_examples=12, phases=(Phase.explicit, Phase.generate), deadline=None, suppress_health_check=list(HealthCheck)
)
SECOND = 10**9
BEGIN_NS = otlp.NOW_NS // BUCKET_NS * BUCKET_NS
WHOLE = Window(BEGIN_NS - 2 * BUCKET_NS, BEGIN_NS + 4 * BUCKET_NS)
LONG_AFTER_NS = otlp.NOW_NS + 10**6 * SECOND
ATTRIBUTES = st.sampled_from(
    (
        (),
        (("messaging.system", "kafka"), ("messaging.destination.name", "orders")),
        (("db.system", "redis"), ("server.address", "cache-1")),
        (("db.system.name", "postgresql"), ("server.address", "db-1"), ("db.namespace", "shop")),
        (("db.system.name", "mysql"), ("peer.service", "ledger-db")),
        (("server.address", "api.example.com"),),
    )
)


@dataclass(frozen=True, slots=True)
class World:
    """Hold spans and the requests that they come in."""

    spans: list[Said]
    batches: list[list[Said]]


@st.composite
def worlds(draw: st.DrawFn, *, near: bool = False) -> World:
    """Give traces that lie across buckets, with parents in any order, and now and then a span again.

    Args:
        draw: of Hypothesis.
        near: each trace lies in two buckets beside each other, few spans of one family before and after the border.
    """
    borders = [draw(st.integers(-1, 3)) * BUCKET_NS // SECOND if near else 0 for _ in range(5)]
    family = 4 if near else 9
    offsets = st.integers(-300, 299) if near else st.integers(-550, 1_100)
    spans = {}
    for _ in range(draw(st.integers(12 if near else 1, 30))):
        trace, span = draw(st.integers(1, 4)), draw(st.integers(1, family))
        spans[trace, span] = Said(
            trace=trace,
            span=span,
            parent=draw(st.integers(0, family + (not near))),
            start_ns=BEGIN_NS + (borders[trace] + draw(st.one_of(st.integers(-2, 2), offsets))) * SECOND,
            duration_ns=draw(st.sampled_from((0, 5, 3 * SECOND, 40 * SECOND, 400 * SECOND))),
            service=draw(st.sampled_from(("shop", "till", "store"))),
            name=draw(st.sampled_from(("read", "write"))),
            kind=draw(st.integers(0, 5)),
            status=draw(st.integers(0, 2)),
            weight=list(WEIGHTS.values())[trace % len(WEIGHTS)],  # a trace is kept as a whole
            attributes=draw(ATTRIBUTES),
        )
    every = [*spans.values(), *draw(st.lists(st.sampled_from(list(spans.values())), max_size=3))]
    order = draw(st.permutations(every))
    cuts = sorted(draw(st.lists(st.integers(0, len(order)), max_size=3)))
    parts = [order[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(order)], strict=True)]
    return World(spans=every, batches=[part for part in parts if part])


def sum_up(filled: FilledStore, tenant: Tenant, version_ns: int, *, slice_spans: int) -> None:
    """Store the summary of every bucket as it is now."""
    there = found_buckets(filled.store, tenant=tenant, window=WHOLE, now_s=LONG_AFTER_NS // SECOND, after_s=0)
    for bucket_s, found in there.items():
        made = read_bucket(filled.store, tenant=tenant, bucket_s=bucket_s, rows=found.rows, slice_spans=slice_spans)
        rows = stored_rows(made, bucket_s=bucket_s, version_ns=version_ns, seen=found.state)
        filled.store.insert_summaries(tenant, rows)


def assert_figures(found: Figures, calls: slow_summaries.Calls, window: Window) -> None:
    """Compare figures with those of a plain list of calls."""
    assert found.calls == pytest.approx(calls.count)
    assert found.errors == pytest.approx(calls.errors)
    assert found.rate == pytest.approx(calls.count / window.duration_s)
    for level, value in ((0.5, found.p50_ms), (0.95, found.p95_ms), (0.99, found.p99_ms)):
        assert value == pytest.approx(calls.quantile_ms(level), rel=0.00501)


def assert_map(found: ServiceMap, nodes: Sequence[Node], window: Window) -> None:
    """Compare a map with the reference."""
    edges = slow_summaries.edges(nodes, window)
    assert {(tuple(edge.name.caller), tuple(edge.name.callee), edge.name.is_async) for edge in found.edges} == set(
        edges
    )
    for edge in found.edges:
        key = ((edge.name.caller.kind, edge.name.caller.name), (edge.name.callee.kind, edge.name.callee.name))
        assert_figures(edge.figures, edges[*key, edge.name.is_async], window)
    services = slow_summaries.services(nodes, window)
    with_spans = {node.name.name for node in found.nodes if node.name.kind == "service" and node.figures.calls}
    assert with_spans == set(services)
    for node in found.nodes:
        if node.name.kind == "service" and node.figures.calls:
            assert_figures(node.figures, services[node.name.name], window)
    counted = slow_summaries.counted(nodes, window)
    with_parent = [node for node in counted if node.said.parent]
    assert found.basis.spans == len(counted)
    assert found.basis.child_spans == len(with_parent)
    seen = sum(not node.is_orphan for node in with_parent)
    assert found.basis.parents_seen == pytest.approx(seen / len(with_parent) if with_parent else 1.0)


def assert_answers(summaries: Summaries, world: World, window: Window) -> None:
    """Compare the map and the bottlenecks of a window with the reference."""
    order = sorted(world.spans, key=lambda said: said.start_ns)
    nodes = trees(order)
    drawn = service_map(summaries, MapRequest(window=window))
    assert isinstance(drawn, ServiceMap)
    assert_map(drawn, nodes, window)
    asked = BottlenecksRequest(window=window, other=None, service=None, limit=200)
    times = slow_summaries.self_times(nodes, window)
    ranked = bottlenecks(summaries, asked)
    found = {(one.service, one.operation): one.now.self_ms * 1e6 for one in ranked.operations if one.now.self_ms}
    assert found == pytest.approx({name: time for name, time in times.items() if time})
    assert sum(found.values()) == pytest.approx(ranked.paths.total_ms * 1e6)


@SETTINGS
@given(world=worlds(), late=st.integers(0, 3), slice_spans=st.sampled_from((20, 1_000)), seed=st.integers(0, 99))
def test_answers_are_the_same_however_spans_came(
    filled: FilledStore, world: World, *, late: int, slice_spans: int, seed: int
) -> None:
    """Of spans in several requests in any order, across buckets, before and after some were summed up and more came."""
    tenant = filled.new_tenant()
    kept = KeptSummaries()
    summaries = Summaries(filled.store, tenant, kept, LONG_AFTER_NS)
    first, rest = world.batches[: len(world.batches) - late], world.batches[len(world.batches) - late :]
    for number, batch in enumerate(first):
        filled.insert(tenant, request(batch), received_ns=otlp.NOW_NS + number * SECOND)
    sum_up(filled, tenant, 1, slice_spans=1_000)
    for number, batch in enumerate(rest):
        filled.insert(tenant, request(batch), received_ns=otlp.NOW_NS + (10 + number) * SECOND)
    if rest:
        # What comes late may belong to traces in buckets further away, whose summaries cannot tell.
        sum_up(filled, tenant, 2, slice_spans=1_000)
    settled = World(spans=[said for batch in world.batches for said in batch], batches=[])
    assert_answers(summaries, settled, WHOLE)
    chosen = random.Random(seed)
    begin = BEGIN_NS + chosen.randrange(-500, 900) * SECOND + chosen.randrange(3)
    assert_answers(summaries, settled, Window(begin, begin + chosen.randrange(1, 900) * SECOND))
    sum_up(filled, tenant, 3, slice_spans=slice_spans)
    assert_answers(Summaries(filled.store, tenant, KeptSummaries(), LONG_AFTER_NS), settled, WHOLE)


@SETTINGS
@given(world=worlds(near=True), late=st.integers(1, 4), last=st.sampled_from((-1, 0, 1)), stored=st.booleans())
def test_late_spans_count_at_once_in_their_bucket_and_beside_it(
    filled: FilledStore, world: World, *, late: int, last: int, stored: bool
) -> None:
    """Of traces across one border, one by one, in any order: what was stored or made before is not used again."""
    tenant = filled.new_tenant()
    summaries = Summaries(filled.store, tenant, KeptSummaries(), LONG_AFTER_NS)
    # Those that began first come last, or those that began last, or any.
    order = sorted((said for batch in world.batches for said in batch), key=lambda said: last * said.start_ns)
    come = order[:-late]
    if come:
        filled.insert(tenant, request(come))
    if stored:
        sum_up(filled, tenant, 1, slice_spans=1_000)
    else:
        assert_answers(summaries, World(spans=come, batches=[]), WHOLE)
    for number, said in enumerate(order[-late:]):
        filled.insert(tenant, request([said]), received_ns=otlp.NOW_NS + (1 + number) * SECOND)
        come.append(said)
        assert_answers(summaries, World(spans=list(come), batches=[]), WHOLE)


@SETTINGS
@given(world=worlds())
def test_figures_of_services_count_for_what_was_sampled(filled: FilledStore, world: World) -> None:
    """Requests, errors and percentiles are those of a list in which each span stands as often as its weight says."""
    tenant = filled.new_tenant()
    once = list({(said.trace, said.span): said for said in world.spans}.values())
    filled.insert(tenant, request(once))
    calls = slow_summaries.services(trees(once), WHOLE)
    page = list_services(filled.store, tenant=tenant, window=WHOLE, services_max=10)
    assert {service.name for service in page.items} == set(calls)
    for service in page.items:
        of, figures = calls[service.name], service.figures
        assert (figures.requests, figures.errors) == (round(of.count), round(of.errors))
        assert figures.error_rate == pytest.approx(of.errors / of.count)
        for level, value in ((0.5, figures.p50_ms), (0.95, figures.p95_ms), (0.99, figures.p99_ms)):
            assert value == pytest.approx(of.quantile_ms(level), rel=0.00501)
