from pathlib import Path

import pytest

from homeostat_server.query import sql as shared
from homeostat_server.query.attributes import sql as attributes
from homeostat_server.query.attributes.conditions import AttributeCondition, AttributeScope, Operator
from homeostat_server.query.big_traces import sql as big_traces
from homeostat_server.query.binding import Binder
from homeostat_server.query.comparison import sql as comparison
from homeostat_server.query.completion import sql as completion
from homeostat_server.query.error_correlation import sql as error_correlation
from homeostat_server.query.history import sql as history
from homeostat_server.query.intrinsics import sql as intrinsics
from homeostat_server.query.jaeger import sql as jaeger
from homeostat_server.query.jaeger.search import Search
from homeostat_server.query.logs import sql as logs
from homeostat_server.query.logs.listing import LogFilter
from homeostat_server.query.metrics import sql as metrics
from homeostat_server.query.search import sql as search
from homeostat_server.query.search.filters import Choice, SpanFilter, SpanKind, SpanStatus
from homeostat_server.query.search.sql import TraceOrder
from homeostat_server.query.services import sql as services
from homeostat_server.query.summaries import sql as summaries
from homeostat_server.query.summaries.form import SCHEMA
from homeostat_server.query.traces import sql as traces

GOLDEN = Path(__file__).parents[2] / "golden" / "query"

EVERYTHING = Choice()
NAMES = ["{value_7:String}", "{value_8:String}"]
PREFIX = "{value_9:String}"
OF_SPAN = SpanFilter(
    service="",
    operation="",
    kind=SpanKind.SERVER,
    status=SpanStatus.ERROR,
    duration_min_ns=0,
    duration_max_ns=1,
    event="",
    link="",
).chosen(Binder())
OF_ATTRIBUTES = SpanFilter(
    attributes=tuple(
        AttributeCondition(scope=scope, key="http.method", operator=operator, value="1")
        for scope, operator in zip(AttributeScope, Operator, strict=False)
    )
).chosen(Binder())
LOG_FILTER = LogFilter(service="", trace_id="", span_id="", severity_min=1, search="a").conditions()
SERIES_FILTER = ["service = {service:String}", "series > {after:UInt64}"]

JAEGER_SEARCH = Search(
    service="a", operation="b", duration_min_ns=1, duration_max_ns=2, tags=[("error", "true"), ("http.method", "GET")]
).statement(Binder())

STATEMENTS: dict[str, str] = {
    "sources": shared.SOURCES,
    "trace_bounds": shared.TRACE_BOUNDS,
    "trace_bounds_of_some": shared.BOUNDS_OF_TRACES,
    "trace_span_count": traces.SPAN_COUNT,
    "trace_small": traces.SMALL_TRACE,
    "trace_spans": traces.spans(after=False),
    "trace_spans_after": traces.spans(after=True),
    **{f"search_{order}": search.matches(EVERYTHING, order=order, after=False) for order in TraceOrder},
    **{f"search_{order}_filtered_after": search.matches(OF_SPAN, order=order, after=True) for order in TraceOrder},
    "search_newest_attributes": search.matches(OF_ATTRIBUTES, order=TraceOrder.NEWEST, after=False),
    "search_errors_attributes_after": search.matches(OF_ATTRIBUTES, order=TraceOrder.ERRORS, after=True),
    "attribute_pattern": attributes.PATTERN,
    **{
        f"keys_{scope}": completion.keys(scope, EVERYTHING if scope is AttributeScope.SPAN else OF_SPAN, sampled=True)
        for scope in AttributeScope
    },
    **{
        f"values_{scope}": completion.values(
            scope, OF_ATTRIBUTES, names=NAMES, prefix="{value_9:String}", sampled=False
        )
        for scope in AttributeScope
    },
    "big_trace_version": big_traces.VERSION,
    "big_trace_structure": big_traces.structure(after=False),
    "big_trace_structure_after": big_traces.structure(after=True),
    "spans_size": completion.SIZE,
    "spans_sample_size": completion.SAMPLE_SIZE,
    "search_bounds": search.BOUNDS,
    "search_summaries": search.summaries(placed=False),
    "search_summaries_placed": search.summaries(placed=True),
    "search_matched": search.matched(OF_ATTRIBUTES, placed=True),
    "search_matched_anywhere": search.matched(OF_SPAN, placed=False),
    "services": services.services(after=False),
    "services_after": services.services(after=True),
    "operations": services.operations(after=False),
    "operations_after": services.operations(after=True),
    **{f"intrinsic_{field}": intrinsics.values(field, Choice()) for field in intrinsics.COLUMNS},
    "intrinsic_name_chosen": intrinsics.values("name", Choice(cheap=("service = 'a'",), exact=("true",))),
    "jaeger_services": jaeger.SERVICES,
    "jaeger_operations": jaeger.operations(of_kind=False),
    "jaeger_operations_of_kind": jaeger.operations(of_kind=True),
    "jaeger_matches": JAEGER_SEARCH,
    "jaeger_span_counts": jaeger.span_counts(placed=False),
    "jaeger_span_counts_placed": jaeger.span_counts(placed=True),
    "jaeger_spans": jaeger.spans(placed=False),
    "jaeger_spans_placed": jaeger.spans(placed=True),
    "logs": logs.records([], after=False),
    "logs_filtered_after": logs.records(LOG_FILTER, after=True),
    "metrics": metrics.metrics([]),
    "metric_known": metrics.KNOWN,
    "metric_series": metrics.series(SERIES_FILTER),
    "comparison_members": comparison.members(["service = {service:String}"], others=False, below=True),
    "comparison_others": comparison.members(["service = {service:String}"], others=True, below=False),
    "comparison_spans": comparison.SPANS,
    "comparison_attributes": comparison.ATTRIBUTES,
    "history_span": history.SPAN,
    "history": history.HISTORY,
    "correlation_size": error_correlation.SIZE,
    "correlation_resources": error_correlation.RESOURCES,
    "correlation_spans": error_correlation.spans([]),
    "correlation_spans_hash": error_correlation.spans([error_correlation.BY_HASH]),
    "correlation_attributes": error_correlation.attributes([error_correlation.BY_KEY, error_correlation.IN_SLICES]),
    "correlation_failures": error_correlation.failures([error_correlation.BY_KEY]),
    "summary_spans": summaries.spans(sliced=False),
    "summary_spans_sliced": summaries.spans(sliced=True),
    "summary_crossing": summaries.crossing(sliced=False),
    "summary_crossing_sliced": summaries.crossing(sliced=True),
    "summary_elsewhere": summaries.ELSEWHERE,
    "summary_sample": summaries.SAMPLE,
    "summary_giants": summaries.GIANTS,
    "summary_states": summaries.STATES,
    "summary_stored": summaries.stored(", ".join(SCHEMA.names)),
    "summary_stored_state": summaries.STORED_STATE,
    **{f"newest_of_metrics_{table}": metrics.newest_of_metrics(table) for table in metrics.NEWEST},
    **{f"newest_of_series_{table}": metrics.newest_of_series(table) for table in metrics.NEWEST},
}


@pytest.mark.parametrize("name", sorted(STATEMENTS))
def test_the_sql_is_the_one_in_the_golden_file(name: str) -> None:
    """A change of a statement shows in review; `python -m tests.unit.query.test_sql` writes the files again."""
    assert STATEMENTS[name] + "\n" == (GOLDEN / f"{name}.sql").read_text(encoding="utf-8")


def test_every_golden_file_is_of_a_statement() -> None:
    """None is left over."""
    assert {path.stem for path in GOLDEN.glob("*.sql")} == STATEMENTS.keys()


@pytest.mark.parametrize("name", sorted(STATEMENTS))
def test_every_statement_names_its_tenant(name: str) -> None:
    """The sorting key begins with the tenant: without it a question reads everybody's granules."""
    statement = STATEMENTS[name]
    assert statement.count("FROM telemetry.") == statement.count("tenant = {tenant:String}")


if __name__ == "__main__":
    for statement_name, statement in STATEMENTS.items():
        (GOLDEN / f"{statement_name}.sql").write_text(statement + "\n", encoding="utf-8")
