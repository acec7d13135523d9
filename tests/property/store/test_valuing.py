from typing import Any, Final, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from homeostat_server.store.ports import ValuedShare
from homeostat_server.store.telemetry.embedded import EmbeddedStore
from homeostat_server.store.telemetry.valuing import Day, keep_valued
from tests import otlp
from tests.otlp import NOW_NS
from tests.property.store.conftest import Engine

SPANS: Final = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["GET /a", "GET /b", ""]),
        "parent": st.booleans(),
        "failed": st.sampled_from([False, False, False, True]),
        "duration_ns": st.sampled_from([-5, 0, 1, 10**6, 10**6 + 1, 5 * 10**6, 10**9]),
        "offset_s": st.sampled_from([0, 0, 0, 299, 300, 3_600]),
        "threshold": st.sampled_from(["", "ot=th:8", "ot=th:c"]),
    }
)
TRACES: Final = st.lists(st.lists(SPANS, min_size=1, max_size=4), min_size=1, max_size=60)


def figures(example: Any, retention: str) -> dict[str, Any]:  # noqa: ANN401 - of conftest
    """Return weights of roots by operation, and what each trace has."""
    first = "argMin((name, weight, duration_ns), (parent_span_id != toFixedString('', 8), ts, span_id))"
    rows = example.rows(
        f"SELECT trace_id, {first} AS root, max(status_code = 2) AS failed, count() AS spans, sum(weight) AS total"
        f" FROM telemetry.spans WHERE retention = '{retention}' GROUP BY trace_id"
    )
    requests: dict[str, float] = {}
    for row in rows:
        name, weight = _root(row)
        requests[name] = requests.get(name, 0.0) + weight
    return {"traces": {row["trace_id"]: row for row in rows}, "requests": requests}


def _root(row: dict[str, Any]) -> tuple[Any, float]:
    name, weight, *_ = row["root"].values()
    return name, weight


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(traces=TRACES, slow=st.sampled_from([0.0, 0.05, 0.5, 1.0]), number=st.sampled_from([1, 3, 1_000]))
def test_weights_of_what_is_kept_add_up(engine: Engine, traces: list[Any], slow: float, number: int) -> None:
    """Requests of each root operation are what they were; failed traces are all there, and each one is whole."""
    store = cast("EmbeddedStore", engine.store)
    store._upkeep.execute("TRUNCATE TABLE telemetry.spans")
    example = engine.stored(otlp.traces(*(span for n, trace in enumerate(traces) for span in _spans(n, trace))))
    before = figures(example, "ordinary")
    [row] = example.rows("SELECT DISTINCT toString(toYYYYMMDD(received)) AS day FROM telemetry.spans")
    keep_valued(store._upkeep, Day(number=row["day"].decode()), ValuedShare(slow=slow, traces=number))
    after = figures(example, "valued")
    assert figures(example, "ordinary") == before
    assert after["requests"] == pytest.approx(before["requests"], rel=1e-9)
    for trace_id, trace in before["traces"].items():
        kept = after["traces"].get(trace_id)
        assert kept is not None or not trace["failed"]
        if kept is not None:
            factor = _root(kept)[1] / _root(trace)[1]
            assert kept["spans"] == trace["spans"]
            assert kept["total"] == pytest.approx(trace["total"] * factor, rel=1e-9)
            assert factor == 1 or not trace["failed"]


def _spans(number: int, trace: list[Any]) -> Any:  # noqa: ANN401 - messages
    for position, span in enumerate(trace):
        start_ns = NOW_NS + span["offset_s"] * 10**9
        yield otlp.span(
            trace_id=(number + 1).to_bytes(16),
            span_id=(position + 1).to_bytes(8),
            parent_span_id=b"a parent" if span["parent"] else b"",
            name=span["name"],
            trace_state=span["threshold"],
            start_time_unix_nano=start_ns,
            end_time_unix_nano=max(0, start_ns + span["duration_ns"]),
            status={"code": 2} if span["failed"] else {},
        )
