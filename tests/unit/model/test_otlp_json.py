import math

import orjson
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import Gauge, Metric, NumberDataPoint
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from homeostat_server.exceptions import InvalidRequest
from homeostat_server.model.otlp_json import from_otlp_json, to_otlp_json
from tests.otlp import SPAN_ID, TRACE_ID, span, traces


def read_span(text: str) -> Span:
    """Return a span from its OTLP/JSON."""
    return from_otlp_json(text.encode(), into=Span())


def test_ids_are_hexadecimal_in_either_case_and_either_way() -> None:
    """Ids are read from hex of any case and key style, and written as small hex."""
    lower, upper = (
        read_span(f'{{"traceId":"{TRACE_ID.hex()}"}}'),
        read_span(f'{{"trace_id":"{TRACE_ID.hex().upper()}"}}'),
    )
    assert lower.trace_id == upper.trace_id == TRACE_ID
    assert to_otlp_json(lower) == {"traceId": TRACE_ID.hex()}


def test_what_is_written_reads_as_the_same_message() -> None:
    """A request with links, nested values and bytes survives the way through OTLP/JSON."""
    nested = AnyValue(array_value=ArrayValue(values=[AnyValue(bytes_value=b"\xff\0"), AnyValue(int_value=-(2**63))]))
    message = traces(
        span(
            parent_span_id=SPAN_ID,
            links=[Span.Link(trace_id=TRACE_ID, span_id=SPAN_ID)],
            attributes=[KeyValue(key="traceId", value=nested)],
        )
    )
    text = orjson.dumps(to_otlp_json(message))
    assert from_otlp_json(text, into=ExportTraceServiceRequest()) == message


def test_numbers_are_taken_as_numbers_or_text() -> None:
    """64-bit integers come as text, as a number or as a whole float; enums as numbers or names."""
    for value in ('"1767225600000000000"', "1767225600000000000", "1.7672256e18"):
        assert read_span(f'{{"startTimeUnixNano":{value}}}').start_time_unix_nano == 1_767_225_600_000_000_000
    assert read_span('{"kind":2}').kind == read_span('{"kind":"SPAN_KIND_SERVER"}').kind == Span.SPAN_KIND_SERVER


def test_integers_are_written_as_text_and_enums_as_numbers() -> None:
    """JavaScript's numbers end at 2**53, so 64-bit ones are text, as the protocol says."""
    assert to_otlp_json(Span(start_time_unix_nano=2**60, kind=Span.SPAN_KIND_SERVER)) == {
        "startTimeUnixNano": str(2**60),
        "kind": 2,
    }


def test_not_a_number_is_text() -> None:
    """NaN and the infinities are text in both directions."""
    text = '{"gauge":{"dataPoints":[{"asDouble":"NaN"},{"asDouble":"-Infinity"}]}}'
    points = from_otlp_json(text.encode(), into=Metric()).gauge.data_points
    assert math.isnan(points[0].as_double)
    assert points[1].as_double == -math.inf
    shown = to_otlp_json(Gauge(data_points=[NumberDataPoint(as_double=math.nan)]))
    assert shown == {"dataPoints": [{"asDouble": "NaN"}]}


def test_of_two_equal_keys_the_last_counts() -> None:
    """A repeated key is no error: the last one wins, as in most decoders."""
    assert read_span('{"name":"first","name":"last"}').name == "last"
    assert read_span('{"endTimeUnixNano":1,"end_time_unix_nano":2}').end_time_unix_nano == 2


def test_unknown_keys_are_ignored() -> None:
    """A newer sender's fields do not hurt, whatever they hold."""
    assert read_span('{"name":"known","novelty":{"traceId":7,"deep":[[{}]]}}').name == "known"


@pytest.mark.parametrize("value", ['"text"', "[]"])
def test_text_in_the_place_of_an_object_is_an_empty_object(value: str) -> None:
    """Protobuf's own decoder lets it pass; its members, if any were meant, are unknown keys."""
    assert read_span(f'{{"name":"kept","status":{value}}}').name == "kept"


def test_null_means_unset() -> None:
    """A null id is no id."""
    assert read_span('{"traceId":null,"parentSpanId":null}') == Span()


@pytest.mark.parametrize("value", ['"xyz"', '"abc"', '"aa bb"', '"ä"', "7", "true", "[]", "{}"])
def test_an_id_that_is_not_hexadecimal_becomes_one_that_no_check_accepts(value: str) -> None:
    """One bad id must not cost its neighbours: it is decoded to a length that is refused item by item."""
    assert len(read_span(f'{{"spanId":{value},"name":"kept"}}').span_id) == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nul",
        "[]",
        "7",
        '"text"',
        "{} {}",
        '{"name":NaN}',
        '{"name":"\\ud800"}',
        '{"name":7}',
        '{"kind":"x" }x',
        '{"flags":1e999}',
        '{"flags":-1}',
        '{"flags":18446744073709551616}',
        '{"startTimeUnixNano":"99999999999999999999999"}',
        f'{{"startTimeUnixNano":"{"9" * 5000}"}}',
        '{"startTimeUnixNano":1.5}',
        '{"attributes":{}}',
        '{"attributes":[null]}',
        '{"attributes":[7]}',
        '{"status":7}',
        '{"attributes":[{"value":{"intValue":1,"stringValue":"x"}}]}',
        '{"attributes":[{"value":{"bytesValue":"a"}}]}',
        "[" * 100_000,
        '{"a":' * 100_000,
    ],
)
def test_what_is_not_this_message_is_refused_as_a_whole(text: str) -> None:
    """Everything that is not OTLP/JSON ends in one error, whatever it is."""
    with pytest.raises(InvalidRequest):
        read_span(text)


def test_values_nested_too_deep_are_refused() -> None:
    """A nesting bomb that is JSON, and known fields all the way, is refused at protobuf's depth."""
    bomb = '{"arrayValue":{"values":[' * 200 + "{}" + "]}}" * 200
    with pytest.raises(InvalidRequest, match="deep"):
        from_otlp_json(bomb.encode(), into=AnyValue())
