from collections.abc import Sequence

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from homeostat_server.query.attributes.conditions import AttributeCondition
from homeostat_server.query.binding import Binder
from tests.property.query.attribute_reference import (
    CONDITIONS,
    SCOPE_NAME_CONDITIONS,
    SPANS,
    Described,
    holds,
    span_of,
)
from tests.telemetry_store import FilledStore

SETTINGS = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
ASKED = st.lists(st.one_of(CONDITIONS, CONDITIONS, SCOPE_NAME_CONDITIONS), min_size=6, max_size=12)


@SETTINGS
@given(spans=SPANS, asked=ASKED)
def test_a_condition_finds_the_spans_that_fulfil_it(
    filled: FilledStore, spans: list[Described], asked: Sequence[AttributeCondition]
) -> None:
    """For every scope and operator, by old and new names; what may be tried before it leaves none of them out."""
    tenant = filled.new_tenant()
    filled.insert(tenant, *(span_of(number, described) for number, described in enumerate(spans)))
    for condition in asked:
        binder = Binder()
        exact, likely = condition.sql(binder), condition.likely(binder) or "1"
        looked = f"SELECT span_id, {exact} AS found, {likely} AS likely FROM telemetry.spans"
        statement = f"{looked} WHERE tenant = {{tenant:String}}"
        rows = filled.store.read(tenant, statement, {"tenant": tenant, **binder.parameters})
        expected = {(number + 1).to_bytes(8): holds(condition, described) for number, described in enumerate(spans)}
        assert {row["span_id"]: bool(row["found"]) for row in rows} == expected
        assert all(row["likely"] for row in rows if row["found"])
