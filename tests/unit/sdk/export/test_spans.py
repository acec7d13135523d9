import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SaidSpan
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext

from homeostat.export.spans import SpanEncoder, encoded_spans
from homeostat.redaction import RedactionConfig, Redactor
from homeostat.tracing.provider import build_provider

CONTEXT = SpanContext(1, 2, is_remote=False)


def span(**changes: object) -> ReadableSpan:
    """Return an ended span."""
    made: dict[str, object] = {
        "name": "a",
        "context": CONTEXT,
        "resource": Resource({"service.name": "orders"}),
        "start_time": 1,
        "end_time": 2,
        "instrumentation_scope": InstrumentationScope("scope"),
    }
    return ReadableSpan(**(made | changes))  # type: ignore[arg-type]  # its own fields


def parsed(body: bytes) -> ExportTraceServiceRequest:
    """Return what a request says."""
    return ExportTraceServiceRequest.FromString(body)


def said(made: ReadableSpan, config: RedactionConfig | None = None) -> SaidSpan:
    """Return what is said of a span."""
    (request,) = encoded_spans([made], redactor=Redactor(config))
    return parsed(request.body).resource_spans[0].scope_spans[0].spans[0]


def attribute(value: object) -> object:
    """Return what is said of an attribute."""
    return said(span(attributes={"key": value})).attributes[0].value


def test_secrets_are_hidden_wherever_they_stand() -> None:
    """In attributes by name and by shape, in events, links, status and names, and deep inside."""
    provider = TracerProvider(shutdown_on_exit=False)
    memory = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    made = provider.get_tracer("t").start_span(
        "GET https://bob:" + "hunter22@host/", attributes={"db.password": "hunter22"}
    )
    made.set_attributes(
        {"headers": {"authorization": "hunter22", "x": ["Bearer hunter22hunter22"]}, "user.pin.token": 7}
    )
    made.add_event("login password=hunter22", {"exception.message": "token=hunter22"})
    made.add_link(CONTEXT, {"api_key": "hunter22"})
    made.record_exception(ValueError("Basic hunter22hunter22"))
    made.set_status(made.status.__class__(made.status.status_code.ERROR, "secret=hunter22"))  # type: ignore[attr-defined]
    made.end()
    (request,) = encoded_spans(memory.get_finished_spans())
    assert b"hunter22" not in request.body
    assert request.body.count(b"[redacted]") >= 8


def test_without_redaction_everything_is_said() -> None:
    """It is a setting."""
    assert (
        said(span(attributes={"password": "x"}), RedactionConfig(enabled=False)).attributes[0].value.string_value == "x"
    )


def test_an_integer_that_protobuf_has_not_is_said_as_text() -> None:
    """The number is not changed and not left out."""
    assert attribute(1 << 70).string_value == str(1 << 70)  # type: ignore[attr-defined]
    assert attribute(10**5000).string_value == "[redacted]"  # type: ignore[attr-defined]


def test_half_a_character_is_a_question_mark() -> None:
    """UTF-8 has no half of a surrogate pair."""
    assert attribute("a\ud800b").string_value == "a?b"  # type: ignore[attr-defined]


def test_what_is_no_value_is_said_as_text_and_what_is_too_deep_is_hidden() -> None:
    """Nothing that a program puts there makes a request that cannot be read."""
    assert attribute({1}).string_value == "{1}"  # type: ignore[attr-defined]
    deep: object = "x"
    for _ in range(40):
        deep = [deep]
    assert "[redacted]" in str(attribute(deep))


def test_values_that_never_repeat_do_not_fill_the_memory() -> None:
    """A key whose values are all different stops keeping them; so do keys and names."""
    encoder = SpanEncoder(redactor=Redactor())
    for number in range(3000):
        encoder.encode([span(name=f"n{number}", attributes={"id": f"{number}", "n": number, f"k{number}": "v"})])
    table = encoder._attributes
    assert len(table.known) <= 512
    assert len(table.known["id"].texts) <= 64
    assert len(table.known["n"].ints) <= 64
    assert len(encoder._names) <= 1024


def test_resources_and_scopes_that_come_and_go_do_not_fill_the_memory() -> None:
    """They are kept by identity, a few at a time."""
    encoder = SpanEncoder(redactor=Redactor())
    for number in range(600):
        made = span(resource=Resource({"n": number}), instrumentation_scope=InstrumentationScope(f"s{number}"))
        (request,) = encoder.encode([made])
        assert parsed(request.body).resource_spans[0].resource.attributes[0].value.int_value == number
    assert len(encoder._resources) <= 64
    assert len(encoder._scopes) <= 512


def test_equal_resources_are_said_once() -> None:
    """Two objects that say the same are one to the reader."""
    (request,) = encoded_spans([span(resource=Resource({"a": 1})), span(resource=Resource({"a": 1}))])
    assert len(parsed(request.body).resource_spans) == 1


def test_a_fork_of_a_fork_has_the_newest_identity() -> None:
    """Spans of the first resource and of the second are said with the third."""
    first, second, third = (Resource({"n": number}) for number in (1, 2, 3))
    encoder = SpanEncoder(redactor=Redactor())
    encoder.encode([span(resource=first)])
    encoder.replace_resource(first, second)
    encoder.replace_resource(second, third)
    (request,) = encoder.encode([span(resource=first), span(resource=second), span(resource=third)])
    (found,) = parsed(request.body).resource_spans
    assert found.resource.attributes[0].value.int_value == 3


@pytest.mark.parametrize(
    "broken", [{"start_time": -1}, {"context": None}, {"kind": "server"}, {"status": None}, {"name": 5}]
)
def test_a_span_that_was_made_wrongly_is_left_out_alone(broken: dict[str, object]) -> None:
    """It is counted, and its batch goes on."""
    encoder = SpanEncoder(redactor=Redactor())
    (request,) = encoder.encode([span(), span(**broken), span()])
    assert request.items == 2
    assert encoder.unencodable == 1


def test_own_spans_are_said_like_those_of_the_sdk() -> None:
    """The provider of this package makes spans whose containers are plain."""
    memory = InMemorySpanExporter()
    provider = build_provider(
        resource=Resource({"service.name": "orders"}), sampler=ALWAYS_ON, processors=(SimpleSpanProcessor(memory),)
    )
    tracer = provider.get_tracer("t")
    with tracer.start_as_current_span("a", attributes={"n": 1, "t": ("x", "y")}) as made:
        made.add_event("happened", {"k": True})
        made.add_link(CONTEXT)
    found = said(memory.get_finished_spans()[0])
    assert [(pair.key) for pair in found.attributes] == ["n", "t"]
    assert (found.events[0].name, len(found.links)) == ("happened", 1)
