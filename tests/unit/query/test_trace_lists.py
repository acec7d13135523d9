from collections.abc import Mapping

from homeostat_server.model.tenant import Tenant
from homeostat_server.query.attributes.conditions import AttributeCondition, AttributeScope, Operator
from homeostat_server.query.search.filters import SpanFilter
from homeostat_server.query.search.listing import TraceQuestion, list_traces
from homeostat_server.query.window import Window
from homeostat_server.store.ports import Parameter, Row
from tests import otlp
from tests.otlp import NOW_NS
from tests.telemetry_store import FilledStore

WINDOW = Window(NOW_NS - 3_600 * 10**9, NOW_NS + 1)


class Counting:
    """Read from a real store, and remember over which stretch matches were looked for."""

    def __init__(self, filled: FilledStore) -> None:
        self._store = filled.store
        self.looked_s: list[float] = []
        self.forgotten = ""

    def read(self, tenant: Tenant, sql: str, parameters: Mapping[str, Parameter]) -> list[Row]:
        """Read, but give nothing of the table that is forgotten."""
        first_ns, last_ns = parameters.get("first_ns"), parameters.get("last_ns")
        if "AS rank" in sql and isinstance(first_ns, int) and isinstance(last_ns, int):
            self.looked_s.append((last_ns - first_ns) / 1e9)
        if self.forgotten and self.forgotten in sql:
            return []
        return self._store.read(tenant, sql, parameters)

    insert_segment = statistics = drop_expired = close = None


NOTHING = SpanFilter()


def question(store: Counting, tenant: Tenant, *, traces_max: int, conditions: SpanFilter = NOTHING) -> list[str]:
    """Return the ids of the first page."""
    page = list_traces(
        store,  # type: ignore[arg-type] # it reads, which is all that is asked of it
        tenant=tenant,
        question=TraceQuestion(window=WINDOW, conditions=conditions),
        traces_max=traces_max,
        now_ns=NOW_NS,
    )
    return [trace.trace_id for trace in page.items]


def test_only_the_newest_spans_are_looked_at_when_they_are_enough(filled: FilledStore) -> None:
    """A list of the newest does not read the whole window."""
    tenant, store = filled.new_tenant(), Counting(filled)
    spans = [otlp.span(trace_id=bytes([number] * 16)) for number in range(1, 5)]
    filled.insert(tenant, otlp.traces(*spans))
    assert question(store, tenant, traces_max=2) == ["04" * 16, "03" * 16]
    assert store.looked_s == [10]


def test_older_spans_are_looked_at_until_there_are_enough(filled: FilledStore) -> None:
    """The slices grow and begin at full five minutes, and together they are the window, each part of it once."""
    tenant, store = filled.new_tenant(), Counting(filled)
    filled.insert(tenant, otlp.traces(otlp.span(start_time_unix_nano=NOW_NS - 3_000 * 10**9)))
    assert question(store, tenant, traces_max=2) == [otlp.TRACE_ID.hex()]
    assert [round(looked_s) for looked_s in store.looked_s] == [10, 590, 3000]


def test_what_is_indexed_is_looked_for_in_few_steps(filled: FilledStore) -> None:
    """A value that is rare is not among the newest spans."""
    tenant, store = filled.new_tenant(), Counting(filled)
    filled.insert(tenant, otlp.traces(otlp.span(start_time_unix_nano=NOW_NS - 3_000 * 10**9)))
    rare = AttributeCondition(scope=AttributeScope.SPAN, key="key.1", operator=Operator.EQUAL, value="value")
    found = question(store, tenant, traces_max=2, conditions=SpanFilter(attributes=(rare,)))
    assert found == [otlp.TRACE_ID.hex()]
    assert [round(looked_s) for looked_s in store.looked_s] == [300, 3300]


def test_traces_of_days_are_summed_up_without_their_places(filled: FilledStore) -> None:
    """Where a list of all their five minutes would be too long."""
    tenant, store = filled.new_tenant(), Counting(filled)
    spans = [otlp.span(), otlp.span(start_time_unix_nano=NOW_NS - 8 * 86_400 * 10**9)]
    filled.insert(tenant, otlp.traces(*spans))
    assert question(store, tenant, traces_max=2) == [otlp.TRACE_ID.hex()]


def test_traces_that_expire_while_they_are_listed_are_left_out(filled: FilledStore) -> None:
    """What is gone is not an error."""
    tenant, store = filled.new_tenant(), Counting(filled)
    filled.insert(tenant, otlp.traces(otlp.span()))
    for store.forgotten in ("trace_bounds", "argMin"):
        assert question(store, tenant, traces_max=2) == []
