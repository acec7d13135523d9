import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, TracesData

from homeostat_server.query.jaeger.warnings import duration_text, warnings_of

MS = 1_000_000


def span(number: int, parent: int, at_ms: int, length_ms: int) -> Span:
    """Return a span; no parent is 0."""
    return Span(
        span_id=number.to_bytes(8, "big"),
        parent_span_id=parent.to_bytes(8, "big") if parent else b"",
        start_time_unix_nano=10**12 + at_ms * MS,
        end_time_unix_nano=10**12 + (at_ms + length_ms) * MS,
    )


def on(host: AnyValue | None, *spans: Span) -> ResourceSpans:
    """Return spans of a host."""
    attributes = [] if host is None else [KeyValue(key="host.id", value=host)]
    return ResourceSpans(resource=Resource(attributes=attributes), scope_spans=[ScopeSpans(spans=spans)])


def warned(*blocks: ResourceSpans) -> dict[int, list[str]]:
    """Return the warnings by the numbers of the spans."""
    found = warnings_of(TracesData(resource_spans=blocks))
    return {int.from_bytes(span_id, "big"): told for span_id, told in found.items()}


A, B = AnyValue(string_value="a"), AnyValue(string_value="b")


def test_a_child_that_lies_in_its_parent_is_no_reason_to_warn() -> None:
    """On whatever hosts."""
    assert warned(on(A, span(1, 0, 0, 100)), on(B, span(2, 1, 10, 50))) == {}


def test_a_child_of_another_host_that_lies_outside_would_be_moved_to_the_middle() -> None:
    """And so would what it called on its own host, by as much."""
    told = "clock skew adjustment disabled; not applying calculated delta of 75ms"
    found = warned(on(A, span(1, 0, 0, 100)), on(B, span(2, 1, -50, 50), span(3, 2, -40, 10)))
    assert found == {2: [told], 3: [told]}


def test_a_child_that_is_longer_than_its_parent_would_be_moved_to_its_start() -> None:
    """Only when it begins before; one that goes on longer may be asynchronous."""
    early = warned(on(A, span(1, 0, 0, 10)), on(B, span(2, 1, -5, 50)))
    assert early == {2: ["clock skew adjustment disabled; not applying calculated delta of 5ms"]}
    assert warned(on(A, span(1, 0, 0, 10)), on(B, span(2, 1, 5, 50))) == {}


def test_one_clock_is_never_in_doubt() -> None:
    """A child outside its parent on the same host was timed so; where no host is said, clocks may differ."""
    assert warned(on(A, span(1, 0, 0, 100), span(2, 1, -50, 10))) == {}
    assert set(warned(on(None, span(1, 0, 0, 100), span(2, 1, -50, 10)))) == {2}


def test_a_missing_parent_and_an_id_that_comes_twice_are_told() -> None:
    """In the words of Jaeger's UI."""
    assert warned(on(A, span(1, 9, 0, 10), span(1, 0, 0, 10))) == {
        1: [
            "duplicate span IDs; skipping clock skew adjustment",
            "invalid parent span IDs=0000000000000009; skipping clock skew adjustment",
        ]
    }


def test_a_ring_of_parents_ends() -> None:
    """It has no root, so nothing is told of it."""
    assert warned(on(A, span(1, 2, 0, 10), span(2, 1, 0, 10), span(3, 3, 0, 10))) == {}


def test_a_trace_deeper_than_python_calls_is_walked() -> None:
    """Every level is looked at."""
    chain = [span(number, number - 1, 0, 10) for number in range(1, 5_000)]
    assert warned(on(A, *chain), on(B, span(9_999, 4_999, 20, 5))) == {
        9_999: ["clock skew adjustment disabled; not applying calculated delta of -17.5ms"]
    }


def test_a_host_with_several_addresses_is_told_by_the_first() -> None:
    """And one with none is no host."""
    several = AnyValue(array_value=ArrayValue(values=[A, B]))
    assert warned(on(several, span(1, 0, 0, 100)), on(A, span(2, 1, -50, 10))) == {}
    none = AnyValue(array_value=ArrayValue())
    assert set(warned(on(none, span(1, 0, 0, 100), span(2, 1, -50, 10)))) == {2}


@pytest.mark.parametrize(
    ("duration_ns", "text"),
    [
        (0, "0s"),
        (1, "1ns"),
        (1_500, "1.5µs"),
        (2_000_000, "2ms"),
        (1_350_000_000, "1.35s"),
        (60_000_000_000, "1m0s"),
        (-3_723_500_000_000, "-1h2m3.5s"),
    ],
)
def test_a_duration_is_written_as_go_writes_it(duration_ns: int, text: str) -> None:
    """The unit is the largest that leaves a whole part."""
    assert duration_text(duration_ns) == text
