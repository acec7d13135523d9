"""What a TraceQL query answers, before any protocol shapes it."""

from dataclasses import dataclass
from typing import TypeAlias

from homeostat_server.query.traceql.names import Type

Constant: TypeAlias = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class TypedValue:
    """Hold a value and its type: a duration in nanoseconds, a status and a kind as their words, nil as None."""

    type: Type
    value: Constant


NIL = TypedValue(Type.NIL, None)


@dataclass(frozen=True, slots=True)
class NamedValue:
    """Hold a value and what it is the value of, as TraceQL writes it (`span.http.route`, `name`, `count()`)."""

    name: str
    value: TypedValue


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchedSpan:
    """Hold a span that a query found.

    Attributes:
        span_id: 16 hexadecimal digits.
        name: of its operation.
        start_ns: since the Unix epoch.
        duration_ns: how long it took.
        attributes: the fields that the query asks about or selects, as far as the span has them.
    """

    span_id: str
    name: str
    start_ns: int
    duration_ns: int
    attributes: tuple[NamedValue, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundSpanset:
    """Hold spans of one trace that belong together.

    Attributes:
        matched: how many spans it has.
        spans: the first of them by time, as many as were asked for.
        attributes: what `by()` divided it by and what aggregates said of it, named `by(…)` and `count()`.
    """

    matched: int
    spans: tuple[MatchedSpan, ...]
    attributes: tuple[NamedValue, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceCount:
    """Hold how many spans of a service a trace has, and how many of them say that they failed."""

    service: str
    spans: int
    errors: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundTrace:
    """Hold a trace that a query found.

    Attributes:
        trace_id: 32 hexadecimal digits.
        root_service: service of its first span without a parent, None when none has come in.
        root_name: name of that span.
        start_ns: start of its first span.
        duration_ns: from there to its last end.
        services: how many spans each service has in it.
        spansets: what the query found in it; never empty.
    """

    trace_id: str
    root_service: str | None
    root_name: str | None
    start_ns: int
    duration_ns: int
    services: tuple[ServiceCount, ...]
    spansets: tuple[FoundSpanset, ...]


@dataclass(frozen=True, slots=True)
class FoundTraces:
    """Hold what a search found, newest match first, and how many traces were looked at closely for it."""

    traces: tuple[FoundTrace, ...]
    inspected_traces: int


@dataclass(frozen=True, slots=True)
class Sample:
    """Hold the value of a step by the moment at which it begins, in milliseconds since the Unix epoch."""

    time_ms: int
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Exemplar:
    """Hold one span that a sample was made of; `value` is what was measured of it, None where spans are counted."""

    trace_id: str
    span_id: str
    time_ms: int
    value: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Hold the samples of one combination of labels, by time; steps without a value are left out.

    Attributes:
        labels: by what it differs from other series: fields of `by`, `p` of quantiles, `__bucket` of histograms,
            `__meta_type` of comparisons; `__name__` alone when there is nothing to tell them apart by.
        samples: in the order of time.
        exemplars: spans to look at.
    """

    labels: tuple[NamedValue, ...]
    samples: tuple[Sample, ...]
    exemplars: tuple[Exemplar, ...] = ()
