"""Jaeger's JSON read back as OTLP. It takes what Jaeger's query API answers and what its UI saves.

Invariant: what cannot be read is an error that says where; nothing is left out silently. A reference that is not the
parent becomes a link. Numbers of 64 bits may come as text, as Jaeger writes the large ones.
"""

import binascii
from base64 import b64decode
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import orjson
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status, TracesData

from homeostat_server.exceptions import InvalidRequest
from homeostat_server.model.jaeger_json import CHILD_OF, KINDS, REFERENCE_TYPE, SERVICE_NAME, UNNAMED_SERVICE, Json

_NS_PER_US: Final = 1_000
_TIME_NS_MAX: Final = 2**63 - 1
_KINDS_BY_NAME: Final = {name: kind for kind, name in KINDS.items()}
_STATUS_CODES: Final = {"OK": Status.STATUS_CODE_OK, "ERROR": Status.STATUS_CODE_ERROR}
_SCOPE_TAGS: Final = {
    "otel.scope.name": "name",
    "otel.library.name": "name",
    "otel.scope.version": "version",
    "otel.library.version": "version",
}
_HINT: Final = "Send what Jaeger's API answers for a trace, or what its UI saves as JSON."


def from_jaeger_json(document: object) -> TracesData:
    """Return the spans of all traces in a document: an answer of Jaeger's API with `data`, or one trace.

    Raises:
        InvalidRequest: it is neither.
    """
    traces = _member(document, "data", list, where="document") if _has(document, "data") else [document]
    data = TracesData()
    for number, trace in enumerate(traces):
        _add_trace(data, trace, where=f"trace {number}")
    return data


def _add_trace(data: TracesData, trace: object, *, where: str) -> None:
    processes = _member(trace, "processes", dict, where=where)
    blocks: dict[bytes, ResourceSpans] = {}
    scopes: dict[tuple[int, str, str], ScopeSpans] = {}
    for number, item in enumerate(_member(trace, "spans", list, where=where)):
        place = f"{where}, span {number}"
        key = _member(item, "processID", str, where=place)
        process = item.get("process") or processes.get(key)
        identity = orjson.dumps(process)
        if identity not in blocks:
            blocks[identity] = data.resource_spans.add(resource=_resource(process, where=f"{place}, its process"))
        block = blocks[identity]
        span, scope = _span(item, where=place)
        home = (id(block), scope.name, scope.version)
        if home not in scopes:
            scopes[home] = block.scope_spans.add(scope=scope)
        scopes[home].spans.append(span)


def _resource(process: object, *, where: str) -> Resource:
    service = _member(process, "serviceName", str, where=where)
    resource = Resource()
    if service != UNNAMED_SERVICE:
        resource.attributes.add(key=SERVICE_NAME, value=AnyValue(string_value=service))
    resource.attributes.extend(_attributes(_tags(process, "tags", where=where), where=where))
    return resource


def _span(item: Json, *, where: str) -> tuple[Span, InstrumentationScope]:
    trace_id = _id(_member(item, "traceID", str, where=where), size=16, where=where)
    start_ns = _time_ns(item, "startTime", where=where)
    span = Span(
        trace_id=trace_id,
        span_id=_id(_member(item, "spanID", str, where=where), size=8, where=where),
        name=_member(item, "operationName", str, where=where),
        start_time_unix_nano=start_ns,
        end_time_unix_nano=_bounded(start_ns + _time_ns(item, "duration", where=where), where=where),
    )
    _set_references(span, item, where=where)
    scope = InstrumentationScope()
    span.attributes.extend(_attributes(_without_derived(span, scope, item, where=where), where=where))
    for number, log in enumerate(_optional_list(item, "logs", where=where)):
        span.events.append(_event(log, where=f"{where}, log {number}"))
    return span, scope


def _set_references(span: Span, item: Json, *, where: str) -> None:
    for number, reference in enumerate(_optional_list(item, "references", where=where)):
        place = f"{where}, reference {number}"
        kind = _member(reference, "refType", str, where=place)
        trace_id = _id(_member(reference, "traceID", str, where=place), size=16, where=place)
        span_id = _id(_member(reference, "spanID", str, where=place), size=8, where=place)
        if kind == CHILD_OF and trace_id == span.trace_id and not span.parent_span_id:
            span.parent_span_id = span_id
            continue
        link = span.links.add(trace_id=trace_id, span_id=span_id)
        if kind == CHILD_OF:
            link.attributes.add(key=REFERENCE_TYPE, value=AnyValue(string_value="child_of"))
    parent = item.get("parentSpanID")
    if parent and not span.parent_span_id:
        span.parent_span_id = _id(_member(item, "parentSpanID", str, where=where), size=8, where=where)


def _without_derived(span: Span, scope: InstrumentationScope, item: Json, *, where: str) -> Iterable[Json]:
    """Set what tags say of members of a span that Jaeger has none for, and yield the other tags."""
    tags = _tags(item, "tags", where=where)
    for tag in tags:
        key, value = tag["key"], tag.get("value")
        if key == "error" and value is True:
            # Alone it is all that OpenTracing had; what was translated from OTLP says a code beside it.
            span.status.code = Status.STATUS_CODE_ERROR
        elif key in _SCOPE_TAGS and isinstance(value, str):
            setattr(scope, _SCOPE_TAGS[key], value)
        elif not (isinstance(value, str) and key in _SPAN_TAGS and _SPAN_TAGS[key](span, value)):
            yield tag


def _set_kind(span: Span, value: str) -> bool:
    if value not in _KINDS_BY_NAME:
        return False
    span.kind = _KINDS_BY_NAME[value]  # type: ignore[assignment] # a plain number
    return True


def _set_code(span: Span, value: str) -> bool:
    if value not in _STATUS_CODES:
        return False
    span.status.code = _STATUS_CODES[value]
    return True


def _set_message(span: Span, value: str) -> bool:
    span.status.message = value
    return True


def _set_state(span: Span, value: str) -> bool:
    span.trace_state = value
    return True


_SPAN_TAGS: Final[Mapping[str, Callable[[Span, str], bool]]] = {
    "span.kind": _set_kind,
    "otel.status_code": _set_code,
    "otel.status_description": _set_message,
    "w3c.tracestate": _set_state,
}
"""What sets a member of a span and says whether it could."""


def _event(log: object, *, where: str) -> Span.Event:
    event = Span.Event(time_unix_nano=_time_ns(log, "timestamp", where=where))
    fields = _tags(log, "fields", where=where)
    for field in fields:
        if field["key"] == "event" and isinstance(field.get("value"), str) and not event.name:
            event.name = field["value"]
        else:
            event.attributes.append(_attribute(field, where=where))
    return event


def _attributes(tags: Iterable[Json], *, where: str) -> list[KeyValue]:
    return [_attribute(tag, where=where) for tag in tags]


def _attribute(tag: Json, *, where: str) -> KeyValue:
    kind, value = tag.get("type", "string"), tag.get("value")
    try:
        converted = _CONVERT.get(kind, _nothing)(value)
    except (TypeError, ValueError, OverflowError):
        converted = None
    if converted is None:
        raise _unreadable(f"{where}, tag {tag['key']}", value=f"{kind} {value!r}")
    return KeyValue(key=tag["key"], value=converted)


def _nothing(_: object) -> None:
    return None


def _text(value: object) -> AnyValue | None:
    return AnyValue(string_value=value) if isinstance(value, str) else None


def _bool(value: object) -> AnyValue | None:
    if isinstance(value, str) and value in ("true", "false"):
        return AnyValue(bool_value=value == "true")
    return AnyValue(bool_value=value) if isinstance(value, bool) else None


def _integer(value: object) -> AnyValue | None:
    is_number = isinstance(value, int | str) and not isinstance(value, bool)
    return AnyValue(int_value=int(value)) if is_number else None  # type: ignore[call-overload] # one of the two


def _real(value: object) -> AnyValue | None:
    is_number = isinstance(value, int | float | str) and not isinstance(value, bool)
    # JSON has no NaN and no infinities, so those come as text.
    return AnyValue(double_value=float(value)) if is_number else None  # type: ignore[arg-type] # one of the three


def _bytes(value: object) -> AnyValue | None:
    return AnyValue(bytes_value=b64decode(value, validate=True)) if isinstance(value, str) else None


_CONVERT: Final[Mapping[str, Callable[[object], AnyValue | None]]] = {
    "string": _text,
    "bool": _bool,
    "int64": _integer,
    "float64": _real,
    "binary": _bytes,
}


def _has(document: object, key: str) -> bool:
    return isinstance(document, dict) and key in document


def _member(holder: object, key: str, kind: type, *, where: str) -> Any:  # noqa: ANN401 - of the kind asked for
    value = holder.get(key) if isinstance(holder, dict) else None
    if not isinstance(value, kind) or isinstance(value, bool):
        raise _unreadable(f"{where}, {key}", value=value)
    return value


def _optional_list(holder: Json, key: str, *, where: str) -> list[Any]:
    return [] if holder.get(key) is None else list(_member(holder, key, list, where=where))


def _tags(holder: object, key: str, *, where: str) -> list[Json]:
    tags = _optional_list(holder, key, where=where) if isinstance(holder, dict) else []
    for number, tag in enumerate(tags):
        _member(tag, "key", str, where=f"{where}, {key} {number}")
    return tags


def _time_ns(holder: object, key: str, *, where: str) -> int:
    value = _member(holder, key, int, where=where)
    return _bounded(value * _NS_PER_US, where=f"{where}, {key}")


def _bounded(moment_ns: int, *, where: str) -> int:
    if not 0 <= moment_ns <= _TIME_NS_MAX:
        raise _unreadable(where, value=moment_ns)
    return moment_ns


def _id(text: str, *, size: int, where: str) -> bytes:
    digits = text.zfill(2 * size)
    try:
        found = binascii.unhexlify(digits)
    except (binascii.Error, ValueError) as error:
        raise _unreadable(f"{where}, an id", value=text) from error
    if len(found) != size:
        raise _unreadable(f"{where}, an id", value=text)
    return found


def _unreadable(where: str, *, value: object) -> InvalidRequest:
    return InvalidRequest(f"read {where} as Jaeger's JSON", value="(missing)" if value is None else value, hint=_HINT)
