from hypothesis import given, settings
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan

from homeostat.export.spans import Encoded, SpanEncoder
from homeostat.redaction import RedactionConfig, Redactor
from tests.ended_spans import batches, official

OPEN = Redactor(RedactionConfig(enabled=False))


def parsed(requests: list[Encoded]) -> ExportTraceServiceRequest:
    """Return what all requests say together."""
    whole = ExportTraceServiceRequest()
    for request in requests:
        whole.MergeFromString(request.body)
    return whole


def messages(request: ExportTraceServiceRequest) -> list[tuple[bytes, bytes, bytes]]:
    """Return every span with its resource and scope, whichever way they were grouped."""
    return sorted(
        (
            resource.resource.SerializeToString(deterministic=True) + resource.schema_url.encode(),
            scope.scope.SerializeToString(deterministic=True) + scope.schema_url.encode(),
            span.SerializeToString(deterministic=True),
        )
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    )


@settings(max_examples=200, deadline=None)
@given(batches())
def test_it_says_what_opentelemetry_says(batch: list[ReadableSpan]) -> None:
    """Parsed, the requests hold the same messages as those of the official encoder, span for span."""
    encoder = SpanEncoder(redactor=OPEN)
    assert messages(parsed(encoder.encode(batch))) == messages(official(batch))
    assert encoder.unencodable == 0


@settings(max_examples=40, deadline=None)
@given(batches())
def test_caches_change_nothing(batch: list[ReadableSpan]) -> None:
    """The same spans give the same bytes whatever the encoder has seen before."""
    encoder = SpanEncoder(redactor=OPEN)
    first = encoder.encode(batch)
    assert encoder.encode(batch) == first == SpanEncoder(redactor=OPEN).encode(batch)


@settings(max_examples=40, deadline=None)
@given(batches())
def test_small_requests_say_the_same(batch: list[ReadableSpan]) -> None:
    """Cut at a size, requests hold the same spans, and none is larger unless it is one span."""
    requests = SpanEncoder(redactor=OPEN, request_bytes_max=300).encode(batch)
    assert messages(parsed(requests)) == messages(official(batch))
    assert sum(request.items for request in requests) == len(batch)


@settings(max_examples=40, deadline=None)
@given(batches())
def test_redaction_of_harmless_texts_keeps_the_messages_whole(batch: list[ReadableSpan]) -> None:
    """Whatever is hidden, what comes out can be parsed and has as many spans."""
    encoder = SpanEncoder(redactor=Redactor(RedactionConfig(personal=True)))
    assert len(messages(parsed(encoder.encode(batch)))) == len(batch)
    assert encoder.unencodable == 0
