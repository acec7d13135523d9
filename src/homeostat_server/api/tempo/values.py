"""What TraceQL answers, as members of Tempo's messages in protobuf's JSON. It asks nothing.

64 bits are text there, and what is zero or empty is left out.
"""

from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any, Final

from homeostat_server.query.jaeger.warnings import duration_text
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

Json = dict[str, Any]

ROOT_MISSING: Final = "<root span not yet received>"
"""What Tempo says for the names of a root that it has not."""

_NS_PER_MS: Final = 1_000_000
_SCOPES: Final = ("span.", "resource.", "event.", "link.", "instrumentation.", ".")
_SAID_ELSEWHERE: Final = frozenset({"name", "duration", "span:name", "span:duration"})
"""Fields that a span has members for."""

_MEMBERS: Final[Mapping[Type, str]] = {
    Type.INTEGER: "intValue",
    Type.REAL: "doubleValue",
    Type.BOOLEAN: "boolValue",
}


def trace_json(found: FoundTrace) -> Json:
    """Return a trace that TraceQL has found, with what it found in it."""
    spansets = [_spanset_json(spanset) for spanset in found.spansets]
    services = {
        count.service: _without_nothing({"spanCount": count.spans, "errorCount": count.errors})
        for count in found.services
    }
    return summary_json(found) | {"spanSet": spansets[0], "spanSets": spansets, "serviceStats": services}


def summary_json(found: FoundTrace) -> Json:
    """Return a trace as a search by tags tells it."""
    summary = {
        "traceID": found.trace_id,
        "rootServiceName": ROOT_MISSING if found.root_service is None else found.root_service,
        "rootTraceName": ROOT_MISSING if found.root_name is None else found.root_name,
        "startTimeUnixNano": str(found.start_ns),
        "durationMs": found.duration_ns // _NS_PER_MS,
    }
    return _without_nothing(summary)


def series_json(series: Series) -> Json:
    """Return a series over time."""
    by_time = {sample.time_ms: sample.value for sample in series.samples}
    made: Json = {
        "labels": [_label_json(label) for label in series.labels],
        "samples": [{"timestampMs": str(sample.time_ms), "value": real(sample.value)} for sample in series.samples],
    }
    exemplars = [_exemplar_json(exemplar, series, by_time) for exemplar in series.exemplars]
    return made | ({"exemplars": exemplars} if exemplars else {})


def instant_json(series: Series) -> Json:
    """Return a series of one sample."""
    value = series.samples[0].value if series.samples else 0.0
    return {"labels": [_label_json(label) for label in series.labels], "value": real(value)}


def real(number: float) -> float | str:
    """Return a real number; JSON has no NaN and no infinities, protobuf's mapping writes their names."""
    if isfinite(number):
        return number
    return "NaN" if number != number else "Infinity" if number > 0 else "-Infinity"  # noqa: PLR0124 - only NaN is


def value_json(value: TypedValue) -> Json:
    """Return a value as AnyValue: what OTLP has no type for is text."""
    if value.type is Type.INTEGER:
        return {"intValue": str(value.value)}
    if value.type is Type.REAL and isinstance(value.value, int | float):
        return {"doubleValue": real(float(value.value))}
    if value.type is Type.DURATION and isinstance(value.value, int):
        return {"stringValue": duration_text(value.value)}
    if value.value is None:
        return {"stringValue": "nil"}
    return {_MEMBERS.get(value.type, "stringValue"): value.value}


def _spanset_json(spanset: FoundSpanset) -> Json:
    made: Json = {"spans": [_span_json(span) for span in spanset.spans], "matched": spanset.matched}
    attributes = [{"key": one.name, "value": value_json(one.value)} for one in spanset.attributes]
    return made | ({"attributes": attributes} if attributes else {})


def _span_json(span: MatchedSpan) -> Json:
    made: Json = {
        "spanID": span.span_id,
        "name": span.name,
        "startTimeUnixNano": str(span.start_ns),
        "durationNanos": str(span.duration_ns),
    }
    told = [one for one in span.attributes if one.name not in _SAID_ELSEWHERE and one.value.type is not Type.NIL]
    attributes = [{"key": _without_scope(one.name), "value": value_json(one.value)} for one in told]
    return _without_nothing(made) | ({"attributes": attributes} if attributes else {})


def _label_json(label: NamedValue) -> Json:
    return {"key": label.name, "value": value_json(label.value)}


def _exemplar_json(exemplar: Exemplar, series: Series, by_time: Mapping[int, float]) -> Json:
    ids = {"trace:id": exemplar.trace_id, "span:id": exemplar.span_id}
    return {
        "labels": [{"key": key, "value": {"stringValue": text}} for key, text in ids.items()],
        "value": real(_height(exemplar, series.samples, by_time) if exemplar.value is None else exemplar.value),
        "timestampMs": str(exemplar.time_ms),
    }


def _height(exemplar: Exemplar, samples: Iterable[Sample], by_time: Mapping[int, float]) -> float:
    """Return where to draw an exemplar that has no value: at the sample of its step."""
    begun = [sample.time_ms for sample in samples if sample.time_ms <= exemplar.time_ms]
    return by_time[begun[-1]] if begun else float("nan")


def _without_scope(name: str) -> str:
    for scope in _SCOPES:
        if name.startswith(scope):
            return name.removeprefix(scope)
    return name


def _without_nothing(members: Json) -> Json:
    return {key: value for key, value in members.items() if value not in ("", 0, "0")}
