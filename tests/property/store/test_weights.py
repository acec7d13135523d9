from typing import Final

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from homeostat.sampling.weights import threshold_text
from tests import otlp
from tests.property.store.conftest import Engine

DIGITS: Final = "0123456789abcdef"
PLAIN: Final = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
THRESHOLDS: Final = st.text(DIGITS, min_size=1, max_size=14)
VALUES: Final = st.one_of(THRESHOLDS, st.text("0123456789abcdefgA :;", max_size=16))
INNER: Final = st.lists(
    st.one_of(
        VALUES.map("th:{}".format),
        st.text(DIGITS, max_size=14).map("rv:{}".format),
        st.sampled_from(["", "th", "th:", "oth:8", "TH:8", " th:8", "th:8 ", "p:8"]),
    ),
    max_size=4,
).map(";".join)
SPACE: Final = st.text(" \t", max_size=2)
MEMBERS: Final = st.one_of(
    st.tuples(SPACE, INNER, SPACE).map(lambda parts: f"{parts[0]}ot={parts[1]}{parts[2]}"),
    st.sampled_from(["", "ot", "ot:th:8", "vendor=th:8", "tot=th:8", "a@ot=th:8", "OT=th:8", "ot =th:8", "k=v;th:8"]),
    PLAIN,
)
STATES: Final = st.lists(MEMBERS, max_size=4).map(",".join)


def weight_of(trace_state: str) -> float:
    """Return the weight that a tracestate says, member by member and digit by digit."""
    for member in trace_state.split(","):
        key, equals, value = member.strip(" \t").partition("=")
        if key != "ot" or not equals:
            continue
        for part in value.split(";"):
            name, colon, digits = part.partition(":")
            if name == "th" and colon and 1 <= len(digits) <= 14 and not set(digits) - set(DIGITS):
                return float(2**56 / (2**56 - int((digits + "0" * 14)[:14], 16)))
    return 1.0


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(states=st.lists(STATES, min_size=1, max_size=40))
@example(
    states=["", "ot=th:0", "ot=th:8", "ot=th:c", "ot=th:ffffffffffffff", "ot=rv:123;th:8", "a=b,ot=th:8", "ot=th:8,a=b"]
)
@example(
    states=["ot=th:", "ot=th:g", "ot=th:A", "ot=th:000000000000001", "th:8", "ot=", "ot", ",", "ot=th:8\n", "\0ot=th:8"]
)
@example(
    states=["ot=th:8\t,a=b", " ot=th:8", "ot=th:8 ;rv:1", "ot=th: 8", "ot=;th:8", "ot=th:zz;th:8", "ot=th:4,ot=th:8"]
)
def test_a_span_weighs_what_its_tracestate_says(engine: Engine, states: list[str]) -> None:
    """And one where it says nothing, or nothing that is a threshold."""
    stored = engine.stored(otlp.traces(*(otlp.span(trace_state=state) for state in states)))
    rows = stored.rows("SELECT trace_state, weight FROM telemetry.spans")
    assert len(rows) == len(states)
    for row in rows:
        assert row["weight"] == pytest.approx(weight_of(row["trace_state"].decode()), rel=1e-12), row


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(thresholds=st.lists(st.integers(0, 2**56 - 1), min_size=1, max_size=40))
def test_what_the_sdk_writes_is_weighed(engine: Engine, thresholds: list[int]) -> None:
    """Every threshold that it can say, one kept span of so many."""
    spans = [otlp.span(trace_state=f"ot=th:{threshold_text(threshold)}") for threshold in thresholds]
    rows = engine.stored(otlp.traces(*spans)).rows("SELECT weight FROM telemetry.spans")
    expected = sorted(2**56 / (2**56 - threshold) for threshold in thresholds)
    assert sorted(row["weight"] for row in rows) == pytest.approx(expected, rel=1e-12)
