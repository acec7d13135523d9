"""The questions: what is asked, with other parameters each time, and what is wanted of the answers. It asks nothing."""

import json
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.traces.client import Asked
from benchmarks.traces.subjects import NS_PER_MS, Subjects


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Hold a kind of question.

    Attributes:
        name: as it is printed.
        make: gives the next one.
        p95_ms_max: what is wanted, None for what is only told.
        rounds: how often it is asked, as a share of the rounds that the caller of the benchmark wants.
        windowed: whether it is about a stretch of time, so that what it reads may not depend on the rest.
    """

    name: str
    make: Callable[[Subjects], Asked]
    p95_ms_max: float | None = None
    rounds: float = 1.0
    windowed: bool = True


def questions() -> tuple[Question, ...]:
    """Return all questions, the ones with a wanted figure first."""
    return (
        Question(name="trace by id", make=_trace, p95_ms_max=20, rounds=5, windowed=False),
        Question(name="search of an hour by service, duration and attribute", make=_search, p95_ms_max=150),
        Question(name="rare attribute value in 24 hours", make=_rare, p95_ms_max=200, windowed=False),
        Question(name="service map of an hour", make=_service_map, p95_ms_max=150),
        Question(name="bottlenecks of an hour", make=_bottlenecks, p95_ms_max=800, rounds=0.5),
        Question(
            name="error correlation of 1 M requests", make=_correlation, p95_ms_max=1500, rounds=0.25, windowed=False
        ),
        Question(name="rare value of an attribute with an old name", make=_rare_renamed, windowed=False),
        Question(name="newest traces", make=_newest),
        Question(name="services of an hour", make=_services),
        Question(name="operations of a service in an hour", make=_operations),
        Question(name="change of the service map against an hour before", make=_changed_map),
        Question(name="attribute keys of an hour", make=_keys),
        Question(name="attribute values of an hour", make=_values),
        Question(name="two traces compared", make=_two_traces, windowed=False),
        Question(name="two hours of a service compared", make=_two_hours, rounds=0.25, windowed=False),
        Question(name="TraceQL: search of an hour", make=_traceql),
        Question(name="TraceQL: structure in an hour", make=_traceql_structure, rounds=0.5),
        Question(name="TraceQL: rate and quantiles of an hour", make=_traceql_metrics, rounds=0.5),
        Question(name="Tempo: search of an hour", make=_tempo_search),
        Question(name="Tempo: values of a tag", make=_tempo_values),
        Question(name="Jaeger: services", make=lambda _: Asked("/jaeger/api/services"), windowed=False),
        Question(name="Jaeger: search of an hour", make=_jaeger_search),
        Question(name="Jaeger: dependencies of an hour", make=_jaeger_dependencies, rounds=0.5),
    )


def _trace(subjects: Subjects) -> Asked:
    return Asked(f"/api/v1/traces/{subjects.trace_id()}")


def _search(subjects: Subjects) -> Asked:
    search = subjects.search()
    asked = {
        "service": search.service,
        "min_duration": search.duration,
        "attribute": f"{search.key}={search.value}",
        "order": subjects.sorting(),
    }
    return Asked("/api/v1/traces", {**asked, **subjects.hours().parameters()})


def _rare(subjects: Subjects) -> Asked:
    return Asked(
        "/api/v1/traces", {"attribute": f"app.order.id={subjects.order_id()}", **subjects.whole().parameters()}
    )


def _rare_renamed(subjects: Subjects) -> Asked:
    return Asked("/api/v1/traces", {"attribute": f"user.id={subjects.rare_user()}", **subjects.whole().parameters()})


def _service_map(subjects: Subjects) -> Asked:
    return Asked("/api/v1/service-map", subjects.hours().parameters())


def _bottlenecks(subjects: Subjects) -> Asked:
    return Asked("/api/v1/bottlenecks", subjects.hours().parameters())


def _correlation(subjects: Subjects) -> Asked:
    return Asked("/api/v1/error-correlation", subjects.hours(subjects.hours_of_requests(1_000_000)).parameters())


def _newest(subjects: Subjects) -> Asked:
    return Asked("/api/v1/traces", {"service": subjects.service(), **subjects.hours().parameters()})


def _services(subjects: Subjects) -> Asked:
    return Asked("/api/v1/services", subjects.hours().parameters())


def _operations(subjects: Subjects) -> Asked:
    return Asked(f"/api/v1/services/{subjects.service()}/operations", subjects.hours().parameters())


def _jaeger_search(subjects: Subjects) -> Asked:
    search, hours = subjects.search(), subjects.hours()
    asked = {"service": search.service, "minDuration": search.duration, "tags": json.dumps({search.key: search.value})}
    return Asked("/jaeger/api/traces", {**asked, **hours.microseconds(), "limit": "20"})


def _jaeger_dependencies(subjects: Subjects) -> Asked:
    hours = subjects.hours()
    asked = {"endTs": str(hours.end_ns // NS_PER_MS), "lookback": str((hours.end_ns - hours.start_ns) // NS_PER_MS)}
    return Asked("/jaeger/api/dependencies", asked)


def _changed_map(subjects: Subjects) -> Asked:
    return Asked("/api/v1/service-map", {**subjects.hours().parameters(), "compare": "previous"})


def _keys(subjects: Subjects) -> Asked:
    return Asked("/api/v1/attributes", subjects.hours().parameters())


def _values(subjects: Subjects) -> Asked:
    return Asked(f"/api/v1/attributes/{subjects.search().key}/values", subjects.hours().parameters())


def _two_traces(subjects: Subjects) -> Asked:
    return Asked("/api/v1/compare", {"left_trace": subjects.trace_id(), "right_trace": subjects.trace_id()})


def _two_hours(subjects: Subjects) -> Asked:
    left, right, service = subjects.hours(), subjects.hours(), subjects.service()
    moments = {**right.parameters(), "left_start": str(left.start_ns), "left_end": str(left.end_ns)}
    condition = f"resource.service.name={service}"
    return Asked("/api/v1/compare", {**moments, "left": condition, "right": condition})


def _spanset(subjects: Subjects) -> str:
    search = subjects.search()
    value = search.value if search.value.isdigit() else f'"{search.value}"'
    return (
        f'{{ resource.service.name = "{search.service}" && duration > {search.duration} && .{search.key} = {value} }}'
    )


def _traceql(subjects: Subjects) -> Asked:
    return Asked("/api/v1/traceql", {"query": _spanset(subjects), **subjects.hours().parameters()})


def _traceql_structure(subjects: Subjects) -> Asked:
    query = f'{{ resource.service.name = "{subjects.service()}" }} >> {{ status = error }}'
    return Asked("/api/v1/traceql", {"query": query, **subjects.hours().parameters()})


def _traceql_metrics(subjects: Subjects) -> Asked:
    service, function = subjects.service(), subjects.function()
    query = f'{{ resource.service.name = "{service}" }} | {function} by (name)'
    return Asked("/api/v1/traceql/metrics", {"query": query, "step": "1m", **subjects.hours().parameters()})


def _tempo_search(subjects: Subjects) -> Asked:
    return Asked("/tempo/api/search", {"q": _spanset(subjects), "limit": "20", **subjects.hours().seconds()})


def _tempo_values(subjects: Subjects) -> Asked:
    return Asked(f"/tempo/api/v2/search/tag/.{subjects.search().key}/values", subjects.hours().seconds())
