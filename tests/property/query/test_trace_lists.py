from dataclasses import dataclass

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from homeostat_server.model.tenant import Tenant
from homeostat_server.query.traces.listing import SpanFilter, TracePlace, TraceSummary, list_traces
from homeostat_server.query.window import Window
from tests.property.query.span_reference import BEGIN_NS, END_NS, FILTERS, WINDOWS, WORLD, Seen, listed, request, root
from tests.telemetry_store import FilledStore

SETTINGS = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
NOW_NS = END_NS


@dataclass(frozen=True, slots=True)
class Question:
    """Hold what is asked, how many are on a page, and what arrives after the first page."""

    window: Window
    conditions: SpanFilter
    traces_max: int
    late: list[Seen]


QUESTIONS = st.builds(
    Question,
    window=WINDOWS,
    conditions=FILTERS,
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
            window=question.window,
            conditions=question.conditions,
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
def test_pages_give_each_trace_once_newest_first(filled: FilledStore, world: list[Seen], question: Question) -> None:
    """Whatever the pages' size, and whatever arrives while they are read, they give the list of the first moment."""
    tenant = filled.new_tenant()
    filled.insert(tenant, request(world), received_ns=BEGIN_NS)
    found = read_pages(filled, tenant, question)
    expected = listed(world, question.window, question.conditions)
    assert [(trace.newest_match_ns, trace.trace_id) for trace in found] == expected


@SETTINGS
@given(world=WORLD)
def test_a_summary_is_of_the_whole_trace(filled: FilledStore, world: list[Seen]) -> None:
    """Root, start, duration and counts are those of all spans, those that do not fulfil the conditions included."""
    tenant = filled.new_tenant()
    filled.insert(tenant, request(world), received_ns=BEGIN_NS)
    everything = Window(BEGIN_NS, END_NS)
    question = Question(window=everything, conditions=SpanFilter(service="shop"), traces_max=10, late=[])
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
