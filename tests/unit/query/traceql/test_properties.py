import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from homeostat_server.exceptions import InvalidRequest, QueryLimit
from homeostat_server.query.traceql import tree
from homeostat_server.query.traceql.checking import parse
from homeostat_server.query.traceql.errors import TraceqlError
from homeostat_server.query.traceql.measuring import metrics_range
from homeostat_server.query.traceql.parsing import parse_tree
from homeostat_server.query.traceql.printing import show
from homeostat_server.query.traceql.searching import search
from tests.telemetry_store import FilledStore
from tests.unit.query.traceql import interpreter
from tests.unit.query.traceql.conftest import StoredWorld, stored
from tests.unit.query.traceql.strategies import QUERIES, SEARCHES, TEXT
from tests.unit.query.traceql.world import MS, Known, random_world, span_id, trace_id

FEW = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
MANY = settings(max_examples=4_000, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def random_worlds(filled: FilledStore) -> list[StoredWorld]:
    """Return stores of random traces."""
    return [stored(filled, random_world(seed)) for seed in (1, 2)]


@given(query=QUERIES)
@settings(max_examples=300, deadline=None)
def test_a_printed_tree_reads_the_same(query: tree.Query) -> None:
    """Whatever the tree: printing and reading are each other's inverse."""
    assert parse_tree(show(query)) == query


@given(text=TEXT)
@settings(max_examples=500, deadline=None)
def test_any_text_is_read_or_refused_in_the_right_words(text: str) -> None:
    """No text makes anything else than a tree, an error with a place, or a limit."""
    try:
        assert isinstance(parse(text), tree.Query)
    except TraceqlError as error:
        assert 0 <= error.place.offset <= len(text)
        assert error.place.line >= 1 <= error.place.column
        assert error.reason
    except QueryLimit:
        pass


def labels(spans: list[Known]) -> dict[str, str]:
    """Return labels by ids."""
    return {span_id(span.label).hex(): span.label for span in spans} | {
        trace_id(span.trace).hex(): span.trace for span in spans
    }


def answers_as_the_interpreter_does(world: StoredWorld, query: tree.Query) -> None:
    """Ask both and compare."""
    try:
        parse(show(query))
    except TraceqlError:
        return
    known = labels(list(world.spans))
    found = search(
        world.reader, tenant=world.tenant, window=world.window, query=query, limit=100, spans_per_spanset=100
    )
    told = {
        known[trace.trace_id]: sorted(
            sorted(known[span.span_id] for span in spanset.spans) for spanset in trace.spansets
        )
        for trace in found.traces
    }
    assert told == interpreter.search(query, world.spans, world.window.start_ns, world.window.end_ns), show(query)


@given(query=SEARCHES, number=st.integers(0, 1))
@FEW
def test_random_queries_over_random_traces_are_answered_exactly(
    random_worlds: list[StoredWorld], query: tree.Query, number: int
) -> None:
    """The engine and the arrays say what the slow interpreter says, a span at a time."""
    answers_as_the_interpreter_does(random_worlds[number], query)


@pytest.mark.prove
@given(query=SEARCHES, number=st.integers(0, 1))
@MANY
def test_very_many_random_queries_are_answered_exactly(
    random_worlds: list[StoredWorld], query: tree.Query, number: int
) -> None:
    """The same for hours."""
    answers_as_the_interpreter_does(random_worlds[number], query)


@given(query=QUERIES)
@FEW
def test_random_metrics_are_answered_or_refused_in_the_right_words(
    random_worlds: list[StoredWorld], query: tree.Query
) -> None:
    """None makes the engine stumble."""
    world = random_worlds[0]
    if query.metric is None:
        return
    try:
        parse(show(query))
        metrics_range(
            world.reader, tenant=world.tenant, window=world.window, query=query, step_ns=10_000 * MS, exemplars=5
        )
    except TraceqlError as error:
        assert error.reason
    except InvalidRequest as error:
        raise AssertionError(show(query)) from error
