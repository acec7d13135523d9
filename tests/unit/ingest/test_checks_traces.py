import pytest
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from homeostat_server.ingest.checks.refusals import NESTED_MAX, TIME_NS_MAX, Refusal
from homeostat_server.ingest.checks.traces import count_if_all_good, refusal_of, refuse_bad
from tests.otlp import NOW_NS, SPAN_ID, TRACE_ID, attributes, span, traces

ATTRIBUTES_MAX = 10
GOOD_LINK = Span.Link(trace_id=TRACE_ID, span_id=SPAN_ID)

BAD_SPANS = [
    ({"trace_id": b""}, Refusal.TRACE_ID),
    ({"trace_id": bytes(16)}, Refusal.TRACE_ID),
    ({"trace_id": TRACE_ID[:15]}, Refusal.TRACE_ID),
    ({"trace_id": TRACE_ID + b"1"}, Refusal.TRACE_ID),
    ({"span_id": b""}, Refusal.SPAN_ID),
    ({"span_id": bytes(8)}, Refusal.SPAN_ID),
    ({"span_id": SPAN_ID * 2}, Refusal.SPAN_ID),
    ({"parent_span_id": b"short"}, Refusal.PARENT_SPAN_ID),
    ({"start_time_unix_nano": 0}, Refusal.TIME),
    ({"start_time_unix_nano": TIME_NS_MAX + 1}, Refusal.TIME),
    ({"end_time_unix_nano": 0}, Refusal.TIME),
    ({"end_time_unix_nano": 2**64 - 1}, Refusal.TIME),
    ({"attributes": attributes(ATTRIBUTES_MAX + 1)}, Refusal.ATTRIBUTES),
    ({"events": [Span.Event(time_unix_nano=TIME_NS_MAX + 1)]}, Refusal.EVENT),
    ({"events": [Span.Event()] * (NESTED_MAX + 1)}, Refusal.NESTED),
    ({"links": [GOOD_LINK] * (NESTED_MAX + 1)}, Refusal.NESTED),
    ({"links": [GOOD_LINK, Span.Link(trace_id=TRACE_ID)]}, Refusal.LINK),
    ({"links": [Span.Link(trace_id=bytes(16), span_id=SPAN_ID)]}, Refusal.LINK),
]

GOOD_SPANS = [
    {},
    {"parent_span_id": SPAN_ID},
    {"parent_span_id": bytes(8)},
    {"start_time_unix_nano": 1, "end_time_unix_nano": TIME_NS_MAX},
    {"end_time_unix_nano": NOW_NS - 1},
    {"attributes": attributes(ATTRIBUTES_MAX)},
    {"attributes": []},
    {"name": "", "kind": 99},
    {"links": [GOOD_LINK], "events": [Span.Event(), Span.Event(time_unix_nano=TIME_NS_MAX)]},
]


@pytest.mark.parametrize(("changes", "refusal"), BAD_SPANS)
def test_a_span_that_cannot_be_stored_is_refused_with_its_reason(changes: dict[str, object], refusal: Refusal) -> None:
    """Each way to be unstorable is found by the fast pass and named by the slow one."""
    bad = span(**changes)
    assert refusal_of(bad, attributes_max=ATTRIBUTES_MAX) is refusal
    assert count_if_all_good(traces(span(), bad), attributes_max=ATTRIBUTES_MAX) is None


@pytest.mark.parametrize("changes", GOOD_SPANS)
def test_an_odd_span_that_can_be_stored_is_taken(changes: dict[str, object]) -> None:
    """Odd is not wrong: far times, an end before the start, no name, no attributes."""
    odd = span(**changes)
    assert refusal_of(odd, attributes_max=ATTRIBUTES_MAX) is None
    assert count_if_all_good(traces(odd, span()), attributes_max=ATTRIBUTES_MAX) == 2


def test_only_the_bad_ones_are_removed_and_the_rest_keeps_its_order() -> None:
    """Refusing is item by item: what is left is what was good, in the order it came."""
    names = [str(number) for number in range(50)]
    request = traces(*(span(name=name, span_id=SPAN_ID if int(name) % 3 else b"") for name in names))
    findings = refuse_bad(request, attributes_max=ATTRIBUTES_MAX)
    left = [kept.name for kept in request.resource_spans[0].scope_spans[0].spans]
    assert left == [name for name in names if int(name) % 3]
    assert findings.counts == {Refusal.SPAN_ID: 17}
    assert findings.rejected == 17


def test_nothing_is_removed_from_a_good_request() -> None:
    """The slow pass leaves a good request as it is."""
    request = traces(span(), span())
    before = request.SerializeToString()
    assert refuse_bad(request, attributes_max=ATTRIBUTES_MAX).rejected == 0
    assert request.SerializeToString() == before


def test_a_crowded_resource_or_scope_costs_all_its_spans() -> None:
    """More attributes than may be on the resource or scope are on every span of it."""
    crowd = attributes(ATTRIBUTES_MAX + 1)
    for request in (
        traces(span(), span(), resource=Resource(attributes=crowd)),
        traces(span(), span(), scope=InstrumentationScope(attributes=crowd)),
    ):
        assert count_if_all_good(request, attributes_max=ATTRIBUTES_MAX) is None
        findings = refuse_bad(request, attributes_max=ATTRIBUTES_MAX)
        assert findings.counts == {Refusal.ATTRIBUTES: 2}


def test_a_neighbouring_scope_keeps_its_spans() -> None:
    """The refusal of one scope's spans stops at its edge, and the place tells where it was."""
    crowd = InstrumentationScope(attributes=attributes(ATTRIBUTES_MAX + 1))
    blocks = ResourceSpans(
        scope_spans=[ScopeSpans(spans=[span()]), ScopeSpans(scope=crowd, spans=[span()]), ScopeSpans(scope=crowd)]
    )
    request = traces()
    request.resource_spans.append(blocks)
    findings = refuse_bad(request, attributes_max=ATTRIBUTES_MAX)
    assert count_if_all_good(traces(), attributes_max=ATTRIBUTES_MAX) == 0
    assert findings.places == {Refusal.ATTRIBUTES: "resource_spans[1].scope_spans[1].spans[0]"}
    assert len(request.resource_spans[1].scope_spans[0].spans) == 1
