import pytest

from homeostat_server.api.tempo.values import instant_json, series_json, trace_json, value_json
from homeostat_server.query.traceql.names import Type
from homeostat_server.query.traceql.results import (
    Exemplar,
    FoundSpanset,
    FoundTrace,
    MatchedSpan,
    NamedValue,
    Sample,
    Series,
    TypedValue,
)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (TypedValue(Type.STRING, "a"), {"stringValue": "a"}),
        (TypedValue(Type.INTEGER, 2**60), {"intValue": str(2**60)}),
        (TypedValue(Type.REAL, 0.5), {"doubleValue": 0.5}),
        (TypedValue(Type.REAL, float("inf")), {"doubleValue": "Infinity"}),
        (TypedValue(Type.BOOLEAN, True), {"boolValue": True}),
        (TypedValue(Type.DURATION, 1_500_000), {"stringValue": "1.5ms"}),
        (TypedValue(Type.STATUS, "error"), {"stringValue": "error"}),
        (TypedValue(Type.NIL, None), {"stringValue": "nil"}),
    ],
)
def test_a_value_is_written_as_protobufs_json_has_it(value: TypedValue, written: dict[str, object]) -> None:
    """64 bits are text; what OTLP has no type for is text, too."""
    assert value_json(value) == written


def test_a_span_says_the_fields_that_were_asked_about() -> None:
    """Without their scopes; not those that it has members for, and not those that it has not."""
    attributes = (
        NamedValue("span.http.route", TypedValue(Type.STRING, "/")),
        NamedValue("duration", TypedValue(Type.DURATION, 1)),
        NamedValue("resource.host", TypedValue(Type.NIL, None)),
    )
    found = MatchedSpan(span_id="01" * 8, name="", start_ns=0, duration_ns=7, attributes=attributes)
    grouped = (NamedValue("count()", TypedValue(Type.INTEGER, 1)),)
    trace = FoundTrace(
        trace_id="02" * 16,
        root_service=None,
        root_name="",
        start_ns=5,
        duration_ns=10,
        services=(),
        spansets=(FoundSpanset(matched=1, spans=(found,), attributes=grouped),),
    )
    written = trace_json(trace)
    assert written["rootServiceName"] == "<root span not yet received>"
    assert "rootTraceName" not in written
    assert "durationMs" not in written
    assert written["spanSets"] == [
        {
            "spans": [
                {
                    "spanID": "01" * 8,
                    "durationNanos": "7",
                    "attributes": [{"key": "http.route", "value": {"stringValue": "/"}}],
                }
            ],
            "matched": 1,
            "attributes": [{"key": "count()", "value": {"intValue": "1"}}],
        }
    ]


def test_an_exemplar_without_a_value_is_drawn_at_the_sample_of_its_step() -> None:
    """Counted spans have none of their own; one before all samples has no place."""
    exemplars = (
        Exemplar(trace_id="a", span_id="b", time_ms=1_500, value=None),
        Exemplar(trace_id="a", span_id="b", time_ms=500, value=None),
        Exemplar(trace_id="a", span_id="b", time_ms=1, value=0.25),
    )
    series = Series(labels=(), samples=(Sample(1_000, 2.0), Sample(2_000, float("nan"))), exemplars=exemplars)
    written = series_json(series)
    assert [sample["value"] for sample in written["samples"]] == [2.0, "NaN"]
    assert [exemplar["value"] for exemplar in written["exemplars"]] == [2.0, "NaN", 0.25]
    assert instant_json(series)["value"] == 2.0
    assert instant_json(Series(labels=(), samples=()))["value"] == 0.0
