"""Traces as Jaeger's JSON, the format of its query API and of the files that its UI saves. It reads nothing back.

What Jaeger's format has no place for is told elsewhere or lost: arrays and maps are text, times are in microseconds,
and there are no scope attributes, schema URLs, flags, dropped counts, and no attributes and states of links
(docs/traces/jaeger.md lists it all). The translation is that of the OpenTelemetry specification
(https://opentelemetry.io/docs/specs/otel/trace/sdk_exporters/jaeger/).
"""

from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from math import isfinite
from typing import Any, Final

import orjson
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status, TracesData

Json = dict[str, Any]

KINDS: Final[Mapping[int, str]] = {
    Span.SPAN_KIND_INTERNAL: "internal",
    Span.SPAN_KIND_SERVER: "server",
    Span.SPAN_KIND_CLIENT: "client",
    Span.SPAN_KIND_PRODUCER: "producer",
    Span.SPAN_KIND_CONSUMER: "consumer",
}
"""What the tag `span.kind` says; a kind that was not specified has no tag."""

SERVICE_NAME: Final = "service.name"
UNNAMED_SERVICE: Final = "OTLPResourceNoServiceName"
"""What Jaeger calls the service of a resource that names none."""

CHILD_OF: Final = "CHILD_OF"
FOLLOWS_FROM: Final = "FOLLOWS_FROM"
REFERENCE_TYPE: Final = "opentracing.ref_type"
"""Attribute of a link that was a reference of OpenTracing."""

_NS_PER_US: Final = 1_000
_SAFE_INTEGER_MAX: Final = 2**53 - 1
"""What a number of JavaScript holds exactly; larger ones are text."""


class JaegerTraceWriter:
    """Write one trace, any number of spans at a time; its processes are known once all spans were written."""

    def __init__(self) -> None:
        """Begin a trace."""
        self._processes: dict[bytes, tuple[str, Json]] = {}

    def spans(self, data: TracesData) -> list[Json]:
        """Return spans as Jaeger says them, in the order of the message."""
        written: list[Json] = []
        for block in data.resource_spans:
            process = self._process_id(block.resource)
            for scoped in block.scope_spans:
                tags = _scope_tags(scoped.scope)
                written.extend(_span(span, process=process, scope_tags=tags) for span in scoped.spans)
        return written

    def processes(self) -> Json:
        """Return the processes of the spans written so far, by the ids that those use."""
        return dict(self._processes.values())

    def _process_id(self, resource: Resource) -> str:
        process = process_of(resource)
        key = orjson.dumps(process)
        if key not in self._processes:
            self._processes[key] = (f"p{len(self._processes) + 1}", process)
        return self._processes[key][0]


def process_of(resource: Resource) -> Json:
    """Return a resource as a process: its service and all other attributes as tags."""
    named = [attribute for attribute in resource.attributes if attribute.key == SERVICE_NAME]
    tags = [tag(attribute) for attribute in resource.attributes if attribute.key != SERVICE_NAME]
    return {"serviceName": text_of(named[-1].value) if named else UNNAMED_SERVICE, "tags": tags}


def trace_id_text(trace_id: bytes) -> str:
    """Return a trace id as Jaeger writes it: 16 digits where the upper half is zero."""
    digits = trace_id.hex()
    return digits[16:] if digits.startswith("0" * 16) else digits


def tag(attribute: KeyValue) -> Json:
    """Return an attribute as a tag."""
    kind, value = _typed(attribute.value)
    return {"key": attribute.key, "type": kind, "value": value}


def text_of(value: AnyValue) -> str:
    """Return a value as the text that Jaeger searches it by."""
    member = value.WhichOneof("value")
    if member == "bytes_value":
        return value.bytes_value.hex()
    if member == "bool_value":
        return "true" if value.bool_value else "false"
    return str(_typed(value)[1])


def plain(value: AnyValue) -> Any:  # noqa: ANN401 - whatever JSON can hold
    """Return a value as JSON without its type."""
    member = value.WhichOneof("value")
    return None if member is None else _PLAIN[member](value)


_PLAIN: Final[Mapping[str, Callable[[AnyValue], Any]]] = {
    "string_value": lambda value: value.string_value,
    "bool_value": lambda value: value.bool_value,
    "int_value": lambda value: value.int_value,
    "double_value": lambda value: value.double_value,
    "bytes_value": lambda value: b64encode(value.bytes_value).decode("ascii"),
    "array_value": lambda value: [plain(item) for item in value.array_value.values],
    "kvlist_value": lambda value: {item.key: plain(item.value) for item in value.kvlist_value.values},
}


def _typed(value: AnyValue) -> tuple[str, Any]:
    member = value.WhichOneof("value")
    return ("string", "") if member is None else _TYPED[member](value)


def _integer(number: int) -> tuple[str, Any]:
    return "int64", number if abs(number) <= _SAFE_INTEGER_MAX else str(number)


def _real(number: float) -> tuple[str, Any]:
    return "float64", number if isfinite(number) else str(number)


def _as_json(value: AnyValue) -> tuple[str, Any]:
    return "string", orjson.dumps(plain(value), option=orjson.OPT_SORT_KEYS).decode()


_TYPED: Final[Mapping[str, Callable[[AnyValue], tuple[str, Any]]]] = {
    "string_value": lambda value: ("string", value.string_value),
    "bool_value": lambda value: ("bool", value.bool_value),
    "int_value": lambda value: _integer(value.int_value),
    "double_value": lambda value: _real(value.double_value),
    "bytes_value": lambda value: ("binary", b64encode(value.bytes_value).decode("ascii")),
    "array_value": _as_json,
    "kvlist_value": _as_json,
}


def _text_tag(key: str, value: str) -> Json:
    return {"key": key, "type": "string", "value": value}


def _scope_tags(scope: InstrumentationScope) -> list[Json]:
    named = {"otel.scope.name": scope.name, "otel.scope.version": scope.version}
    return [_text_tag(key, value) for key, value in named.items() if value]


def _span(span: Span, *, process: str, scope_tags: Iterable[Json]) -> Json:
    duration_ns = span.end_time_unix_nano - span.start_time_unix_nano
    return {
        "traceID": trace_id_text(span.trace_id),
        "spanID": span.span_id.hex(),
        "operationName": span.name,
        "references": _references(span),
        "startTime": span.start_time_unix_nano // _NS_PER_US,
        "duration": max(0, duration_ns) // _NS_PER_US,
        "tags": [*map(tag, span.attributes), *scope_tags, *_derived_tags(span)],
        "logs": [_log(event) for event in span.events],
        "processID": process,
        "warnings": None,
    }


def _references(span: Span) -> list[Json]:
    references = [_reference(CHILD_OF, span.trace_id, span.parent_span_id)] if span.parent_span_id else []
    for link in span.links:
        is_child = any(item.key == REFERENCE_TYPE and text_of(item.value) == "child_of" for item in link.attributes)
        references.append(_reference(CHILD_OF if is_child else FOLLOWS_FROM, link.trace_id, link.span_id))
    return references


def _reference(kind: str, trace_id: bytes, span_id: bytes) -> Json:
    return {"refType": kind, "traceID": trace_id_text(trace_id), "spanID": span_id.hex()}


def _derived_tags(span: Span) -> list[Json]:
    """Return the tags for what a span of Jaeger has no member for."""
    tags = [_text_tag("span.kind", KINDS[span.kind])] if span.kind in KINDS else []
    if span.status.code == Status.STATUS_CODE_OK:
        tags.append(_text_tag("otel.status_code", "OK"))
    elif span.status.code == Status.STATUS_CODE_ERROR:
        tags.append(_text_tag("otel.status_code", "ERROR"))
        tags.append({"key": "error", "type": "bool", "value": True})
    if span.status.message:
        tags.append(_text_tag("otel.status_description", span.status.message))
    if span.trace_state:
        tags.append(_text_tag("w3c.tracestate", span.trace_state))
    return tags


def _log(event: Span.Event) -> Json:
    name = [_text_tag("event", event.name)] if event.name else []
    return {"timestamp": event.time_unix_nano // _NS_PER_US, "fields": [*name, *map(tag, event.attributes)]}
