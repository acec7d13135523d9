from dataclasses import dataclass

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from homeostat_server.model.tenant import Tenant
from homeostat_server.query.search.filters import SpanFilter
from homeostat_server.query.search.listing import TracePlace, TraceQuestion, TraceSummary, list_traces
from homeostat_server.query.search.sql import TraceOrder
from homeostat_server.query.window import Window
from tests.property.query.span_reference import (
    BEGIN_NS,
    END_NS,
    FILTERS,
    ORDERS,
    WINDOWS,
    WORLD,
    Seen,
    fulfils,
    listed,
    request,
    root,
    within,
)
from tests.telemetry_store import FilledStore

SETTINGS = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
NOW_NS = END_NS


@dataclass(frozen=True, slots=True)
class Question:
    """Hold what is asked, how many are on a page, and what arrives after the first page."""

    asked: TraceQuestion
    traces_max: int
    late: list[Seen]


QUESTIONS = st.builds(
    Question,
    asked=st.builds(TraceQuestion, window=WINDOWS, conditions=FILTERS, order=ORDERS),
    traces_max=st.integers(1, 4),
    late=st.one_of(st.just([]), WORLD),
)


def read_pages(filled: FilledStore, tenant: Tenant, question: Question) -> list[TraceSummary]:
    """Return what all pages give."""
    after: TracePlace | None = None
    found: list[TraceSummary] = []
    while True:
        page = list_traces(
            filled.store,
            tenant=tenant,
            question=question.asked,
            traces_max=question.traces_max,
            now_ns=NOW_NS,
            after=after,
        )
        found += page.items
        if page.next_place is None:
            return found
        if after is None and question.late:
            filled.insert(tenant, request(question.late), received_ns=NOW_NS + 10**9)
        after = page.next_place


@SETTINGS
@given(world=WORLD, question=QUESTIONS)
def test_pages_give_each_trace_once_in_order(filled: FilledStore, world: list[Seen], question: Question) -> None:
    """Whatever the pages' size, and whatever arrives while they are read, they give the list of the first moment."""
    tenant = filled.new_tenant()
    filled.insert(tenant, request(world), received_ns=BEGIN_NS)
    found = read_pages(filled, tenant, question)
    asked = question.asked
    expected = listed(world, asked.window, asked.conditions, asked.order)
    assert [trace.trace_id for trace in found] == [trace_id for _, trace_id in expected]
    if asked.order is TraceOrder.NEWEST:
        assert [trace.newest_match_ns for trace in found] == [rank for rank, _ in expected]
    if asked.order is TraceOrder.SLOWEST:
        assert [trace.longest_match_ns for trace in found] == [rank for rank, _ in expected]


@SETTINGS
@given(world=WORLD, window=WINDOWS)
def test_a_summary_is_of_the_whole_trace(filled: FilledStore, world: list[Seen], window: Window) -> None:
    """Root, start, duration and counts are those of all spans, those that do not fulfil the conditions included."""
    tenant = filled.new_tenant()
    filled.insert(tenant, request(world), received_ns=BEGIN_NS)
    conditions = SpanFilter(service="shop")
    question = Question(TraceQuestion(window=window, conditions=conditions), traces_max=10, late=[])
    found = read_pages(filled, tenant, question)
    for summary in found:
        spans = [seen for seen in world if seen.trace_id == summary.trace_id]
        start_ns = min(seen.start_ns for seen in spans)
        assert (summary.root_service, summary.root_operation) in {
            (seen.service, seen.name)
            for seen in spans
            if (seen.parent != 0, seen.start_ns, seen.span_id)
            == (root(spans).parent != 0, root(spans).start_ns, root(spans).span_id)
        }
        assert summary.start_ns == start_ns
        assert summary.duration_ns == max(seen.start_ns + seen.took_ns for seen in spans) - start_ns
        assert summary.spans == len(spans)
        assert summary.errors == sum(seen.status == 2 for seen in spans)
        assert summary.services == tuple(sorted({seen.service for seen in spans}))
        matching = [seen for seen in within(spans, window) if fulfils(seen, conditions)]
        assert summary.matched_spans == len(matching)
        assert summary.newest_match_ns == max(seen.start_ns for seen in matching)
        assert summary.longest_match_ns == max(seen.duration_ns for seen in matching)
